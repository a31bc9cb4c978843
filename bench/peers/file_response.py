"""aiohttp's own way to serve a folder: FileResponse, with nothing around it. Told the folder, says its port."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from bench.peers._orders import say


async def main() -> None:
    folder = Path(sys.argv[1])

    async def answer(request: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / request.match_info["name"])

    app = web.Application()
    app.router.add_get("/files/{name}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    say(port=runner.addresses[0][1], version=sys.version.split()[0])
    await asyncio.to_thread(sys.stdin.read)  # until its end
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())

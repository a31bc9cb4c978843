"""Lectern's transport by itself: the product's server class on its loop, with handlers that only let people in."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bench.peers._orders import obey, say
from server.pace import short_turned_loop
from signaling.transport import Connection, LiveServer, TransportLimits

LIMITS = TransportLimits(ping_interval=3600, ping_timeout=3600, connect_timeout=60)


class Class:
    """So many people go into the first room, then as many into the next."""

    events = frozenset[str]()
    server: LiveServer

    def __init__(self, size: int) -> None:
        self._size, self._came = size, 0

    async def connect(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        self.server.enter(connection, f"class {self._came // self._size}")
        self._came += 1

    async def handle(self, connection: Connection, event: str, payload: object) -> dict[str, Any]:
        return {}

    async def unknown(self, connection: Connection, event: str) -> dict[str, Any]:
        return {}

    async def refused(self, connection: Connection, event: str, reason: str, wait: float | None) -> dict[str, Any]:
        return {}

    async def disconnected(self, connection: Connection, reason: str) -> None:
        pass


async def main() -> None:
    told = json.loads(sys.argv[1])
    handlers = Class(int(sys.argv[2]))
    server = handlers.server = LiveServer(handlers, limits=LIMITS)
    app = web.Application()
    server.attach(app)
    runner = server.runner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    say(port=runner.addresses[0][1], version=sys.version.split()[0])
    await obey(lambda room: server.broadcast(f"class {room}", "timeline", told))
    await server.close()
    await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=short_turned_loop) as started:
        started.run(main())

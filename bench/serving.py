"""What a lesson's bytes cost: ranges and the whole file, beside aiohttp's FileResponse, Express and nginx, in one run.

Ours is the product: the ticket is checked, the entitlement asked for, the headers set. The peers check nothing. One
file of 200 MB, hot in the page cache; eight keep-alive connections that ask for ranges at the same random places.
`--quick` measures less long.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from bench._file_servers import FileServer, express, file_response, nginx
from bench._files_over_http import Asking
from bench._peers import install
from server import logs
from server.content.storage import folder_key, new_token
from server.db.database import Database
from server.ports import SilentPublisher
from server.settings import Settings
from tests.factories import World
from tests.program import Program

SIZE_BYTES = 200 * 1024 * 1024
LENGTHS = (64 * 1024, 256 * 1024, 1024 * 1024)
ROUNDS, SECONDS, WHOLE_TIMES = 3, 2.0, 5
MUST = {"FileResponse": 2.0, "Express": 1.6}  # requests a second, ours over theirs, at 64 and 256 KiB
AIM = {"FileResponse": 4.0}
JUDGED_LENGTHS = LENGTHS[:2]
MUST_WHOLE_OF_NGINX, AIM_WHOLE_OF_NGINX = 0.9, 1.0


async def main() -> int:
    """Print the ratios; 1 when one misses what it must be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    rounds = 1 if parser.parse_args().quick else ROUNDS
    logs.configure(level="error")
    install()
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as name:
        folder = Path(name)
        files = folder / "files"
        files.mkdir()
        os.chmod(folder, 0o755)  # nginx reads as somebody else
        (files / "lesson.mp4").write_bytes(os.urandom(1024 * 1024) * (SIZE_BYTES // (1024 * 1024)))
        async with AsyncExitStack() as stack:
            program = Program(folder, "serve", LECTERN_LOG_LEVEL="error")
            await program.start()
            stack.push_async_callback(program.stop)
            ours = FileServer("ours", program.url, program.pid)
            peers = [
                await stack.enter_async_context(file_response(files)),
                await stack.enter_async_context(express(files)),
                await stack.enter_async_context(nginx(files, folder)),
            ]
            urls = {peer.name: f"{peer.base}/files/lesson.mp4" for peer in peers}
            urls["ours"] = await lesson_of(program, files / "lesson.mp4")
            passed = await ranges([ours, *peers], urls, rounds)
            passed &= await whole([ours, *peers], urls, 2 if rounds == 1 else WHOLE_TIMES)
    return 0 if passed else 1


async def lesson_of(program: Program, file: Path) -> str:
    """The signed address of a lesson with these bytes."""
    settings = Settings.model_validate({"LECTERN_DATA_DIR": program.environment["LECTERN_DATA_DIR"]})
    database = Database.open(settings.database_url, publisher=SilentPublisher())
    try:
        world = await World.with_cast(database, settings.secret_key)
        key = f"{folder_key('video', new_token())}/video-0.mp4"
        place = settings.uploads_dir / key
        place.parent.mkdir(parents=True)
        os.link(file, place)
        course = await world.course("ana")
        lesson = await world.content(course, file_url=key, served_mime_type="video/mp4")
        headers = {"Authorization": f"Bearer {world.token('ana')}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{program.url}/content/{lesson.id}") as answer:
                return str((await answer.json())["file_url"])
    finally:
        await database.close()


async def ranges(servers: list[FileServer], urls: dict[str, str], rounds: int) -> bool:
    passed = True
    for length in LENGTHS:
        rates: dict[str, list[float]] = {server.name: [] for server in servers}
        costs: dict[str, list[float]] = {server.name: [] for server in servers}
        for number in range(rounds + 1):
            for server in servers:
                asking = Asking(urls[server.name], size=SIZE_BYTES, length=length)
                spent = server.cpu_seconds()
                count, took = await asyncio.to_thread(asking.answers, SECONDS if number else 0.5)
                if number:  # the first is to warm up
                    rates[server.name].append(count / took)
                    costs[server.name].append((server.cpu_seconds() - spent) / count)
        rate = {name: statistics.median(some) for name, some in rates.items()}
        cost = {name: statistics.median(some) * 1e6 for name, some in costs.items()}
        print(f"ranges of {length // 1024} KiB: ours {rate['ours']:,.0f}/s, {cost['ours']:.0f} us CPU", flush=True)
        for name in rate.keys() - {"ours"}:
            ratio = rate["ours"] / rate[name]
            line = f"  {ratio:5.2f} x {name} ({rate[name]:,.0f}/s, {cost[name]:.0f} us CPU)"
            if length in JUDGED_LENGTHS and name in MUST:
                passed &= ratio >= MUST[name]
                line += f": must {MUST[name]} {'met' if ratio >= MUST[name] else 'missed'}"
                if name in AIM:
                    line += f", aim {AIM[name]} {'met' if ratio >= AIM[name] else 'missed'}"
            print(line, flush=True)
    return passed


async def whole(servers: list[FileServer], urls: dict[str, str], times: int) -> bool:
    took: dict[str, list[float]] = {server.name: [] for server in servers}
    costs: dict[str, list[float]] = {server.name: [] for server in servers}
    for _ in range(times):
        for server in servers:
            spent = server.cpu_seconds()
            seconds = await asyncio.to_thread(Asking(urls[server.name], size=SIZE_BYTES, length=1).whole)
            took[server.name].append(seconds)
            costs[server.name].append(server.cpu_seconds() - spent)
    rate = {name: SIZE_BYTES / 1e6 / statistics.median(some) for name, some in took.items()}
    print(f"the whole file: ours {rate['ours']:,.0f} MB/s, {statistics.median(costs['ours']):.3f} s CPU")
    for name in rate.keys() - {"ours"}:
        ratio, cost = rate["ours"] / rate[name], statistics.median(costs[name])
        print(f"  {ratio:5.2f} x {name} ({rate[name]:,.0f} MB/s, {cost:.3f} s CPU)")
    of_nginx = rate["ours"] / rate["nginx"]
    print(
        f"  of nginx: must {MUST_WHOLE_OF_NGINX} {'met' if of_nginx >= MUST_WHOLE_OF_NGINX else 'missed'}, "
        f"aim {AIM_WHOLE_OF_NGINX} {'met' if of_nginx >= AIM_WHOLE_OF_NGINX else 'missed'}"
    )
    return of_nginx >= MUST_WHOLE_OF_NGINX


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

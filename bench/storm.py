"""Ten thousand tabs vanish in one moment and come back by themselves; what the server suffered, measured inside it.

A real server process on SQLite, the tabs in this process: raw sockets that behave like the official client. The storm
comes twice. The longest stall of the server's loop, its collector's pauses and its memory are the server's own figures
(/metrics, /proc). `--clients 1000` makes it smaller.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench._returning import Crowd
from server import logs, pace
from server.db.database import Database
from server.ports import SilentPublisher
from server.settings import Settings
from tests.factories import World
from tests.program import Program

CLIENTS, TABS_EACH, CLASS_SIZE, STORMS = 10_000, 8, 50, 2
MOST_STALL_SECONDS = 0.05
GONE_SECONDS = 60  # for the server to have noticed that everybody left


@dataclass(frozen=True, slots=True)
class Weather:
    """What a storm did. Times in seconds, memory in MiB, the longest ones since the server's start."""

    back_in: list[float]
    stall: float
    gc_pause: float
    late_p999: float
    rss_before: float
    rss_after: list[float]
    failures: int
    reasons: set[str]


async def storm(clients: int, *, storms: int = STORMS) -> Weather:
    """Start a server, connect `clients`, cut them all and let them come back, `storms` times."""
    logs.configure(level="error")
    with tempfile.TemporaryDirectory(prefix="lectern-storm-") as folder:
        program = Program(Path(folder), "serve", LECTERN_LOG_LEVEL="error")
        await program.start()
        try:
            crowd = Crowd(program.port, await tokens(program, clients))
            await crowd.come()
            before = rss_mib(program.pid)
            back_in, after = list[float](), list[float]()
            for _ in range(storms):
                crowd.vanish()
                back_in.append(await crowd.come())
                await settled(program, clients)
                after.append(rss_mib(program.pid))
            shown = await metrics(program)
            assert crowd.here == clients, f"{clients - crowd.here} were cut"
        finally:
            await program.stop()
    return Weather(
        back_in,
        shown["lectern_loop_delay_longest_seconds"],
        shown["lectern_gc_pause_longest_seconds"],
        percentile(shown, "lectern_loop_delay_seconds", 0.999),
        before,
        after,
        crowd.failures,
        crowd.reasons,
    )


async def tokens(program: Program, clients: int) -> list[str]:
    """Signed-in students in classes of `CLASS_SIZE`, `TABS_EACH` tabs for each."""
    settings = Settings.model_validate({"LECTERN_DATA_DIR": program.environment["LECTERN_DATA_DIR"]})
    database = Database.open(settings.database_url, publisher=SilentPublisher())
    try:
        world = await World.with_cast(database, settings.secret_key)
        names = [f"student{number}" for number in range(-(-clients // TABS_EACH))]
        for name in names:
            await world.person(name)
        for first in range(0, len(names), CLASS_SIZE):
            await world.course("ana", names[first : first + CLASS_SIZE])
        return [world.token(names[number // TABS_EACH]) for number in range(clients)]
    finally:
        await database.close()


async def settled(program: Program, clients: int) -> None:
    """Wait until the server counts exactly those who are there."""
    async with asyncio.timeout(GONE_SECONDS):
        while (await metrics(program))["lectern_socket_connections"] != clients:  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.2)


async def metrics(program: Program) -> dict[str, float]:
    """What /metrics says, by name and labels."""
    async with aiohttp.ClientSession() as session, session.get(f"{program.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def percentile(shown: dict[str, float], name: str, part: float) -> float:
    """The upper bound of the histogram's bucket that holds this part."""
    total = shown[f"{name}_count"]
    bounds = ((re.search(r'le="(.*)"', key), value) for key, value in shown.items() if key.startswith(f"{name}_bucket"))
    return min(float(found[1]) for found, value in bounds if found and value >= part * total)


def rss_mib(pid: int) -> float:
    """Resident memory (proc(5), VmRSS)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


async def main() -> int:
    """Print the figures; 1 when the loop stood still for longer than `MOST_STALL_SECONDS`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=CLIENTS)
    clients = parser.parse_args().clients
    if pace.raise_descriptor_limit() < clients + 100:
        print(f"This system's limit of open files forbids {clients} clients in one process.", file=sys.stderr)
        return 2
    weather = await storm(clients)
    print(f"{clients} tabs cut at once, {STORMS} times, each back by itself:")
    print(
        f"  all accepted again after {' and '.join(f'{s:.1f} s' for s in weather.back_in)}, {weather.failures} failed"
    )
    for reason in sorted(weather.reasons)[:5]:
        print(f"    {reason[:200]}")
    print(
        f"  longest stall of the server's loop {weather.stall * 1e3:.0f} ms (at most {MOST_STALL_SECONDS * 1e3:.0f}); "
    )
    print(f"  99.9 % of ticks late by at most {weather.late_p999 * 1e3:.0f} ms")
    print(f"  longest collector pause {weather.gc_pause * 1e3:.0f} ms")
    print(f"  memory {weather.rss_before:.0f} MiB, after the storms {[round(mib) for mib in weather.rss_after]} MiB")
    return int(weather.stall > MOST_STALL_SECONDS or weather.failures > 0)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=pace.short_turned_loop) as runner:
        sys.exit(runner.run(main()))

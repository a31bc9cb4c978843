"""Ten thousand tabs vanish in one moment and come back by themselves; what the server suffered, measured inside it.

A real server process on SQLite, the tabs in this process: raw sockets that behave like the official client. Each is
signed in, one of eight of its person, and in no live session: this is about connections. The storm comes three times,
and what is measured begins with the first one. Stalls of the server's loop, its collector's pauses and its memory are
the server's own figures (/metrics, /proc). `--clients 1000` makes it smaller.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Mapping
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

CLIENTS, TABS_EACH, CLASS_SIZE, STORMS = 10_000, 8, 50, 3
MOST_STALL_SECONDS = 0.05
GONE_SECONDS = 60  # for the server to have noticed that everybody left


@dataclass(frozen=True, slots=True)
class Weather:
    """What the storms did. Times in seconds, memory in MiB; `busy` is the most of a stall that the loop computed."""

    back_in: list[float]
    stall: float
    busy: float
    late: int  # looks that saw something wait longer than MOST_STALL_SECONDS
    late_p999: float
    gc_pause: float
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
            before, calm = rss_mib(program.pid), await metrics(program)
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
        longest(shown, calm, "lectern_loop_delay"),
        longest(shown, calm, "lectern_loop_busy"),
        more_than(shown, calm, "lectern_loop_delay", MOST_STALL_SECONDS),
        percentile(shown, calm, "lectern_loop_delay", 0.999),
        longest(shown, calm, "lectern_gc_pause"),
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


def buckets(shown: Mapping[str, float], calm: Mapping[str, float], name: str) -> list[tuple[float, float]]:
    """A histogram's bounds and what was counted up to each since `calm`, in ascending order."""
    bounds = ((re.fullmatch(rf'{name}_seconds_bucket{{.*le="(.*)".*}}', key), key) for key in shown)
    return sorted((float(found[1]), shown[key] - calm.get(key, 0)) for found, key in bounds if found)


def percentile(shown: Mapping[str, float], calm: Mapping[str, float], name: str, part: float) -> float:
    """The upper bound of the histogram's bucket that holds this part of what was counted since `calm`."""
    counted = buckets(shown, calm, name)
    return min(bound for bound, value in counted if value >= part * counted[-1][1])


def more_than(shown: Mapping[str, float], calm: Mapping[str, float], name: str, bound: float) -> int:
    """How many were above one of the histogram's bounds since `calm`."""
    counted = buckets(shown, calm, name)
    return int(counted[-1][1] - dict(counted)[bound])


def longest(shown: Mapping[str, float], calm: Mapping[str, float], name: str) -> float:
    """The longest since `calm`: known exactly if it is the longest at all, otherwise its bucket's upper bound."""
    at_all = f"{name}_longest_seconds"
    if shown[at_all] > calm[at_all]:
        return shown[at_all]
    return min(percentile(shown, calm, name, 1.0), shown[at_all])


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
        f"  longest stall of the server's loop {weather.stall * 1e3:.0f} ms (at most {MOST_STALL_SECONDS * 1e3:.0f}),"
    )
    print(f"  of any the loop itself computed at most {weather.busy * 1e3:.0f} ms: the rest the machine was elsewhere")
    print(f"  99.9 % of looks saw nothing wait longer than {weather.late_p999 * 1e3:.0f} ms, {weather.late} saw more")
    print(f"  longest collector pause {weather.gc_pause * 1e3:.0f} ms")
    print(f"  memory {weather.rss_before:.0f} MiB, after the storms {[round(mib) for mib in weather.rss_after]} MiB")
    return int(weather.stall > MOST_STALL_SECONDS or weather.failures > 0)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=pace.short_turned_loop) as runner:
        sys.exit(runner.run(main()))

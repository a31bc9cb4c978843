"""A hundred slow uploads at once: the memory they take, and how late the loop is with three fast ones beside them.

The real program on a RAM file system. Half of the slow ones are forms, half resumable; each gives 16 KiB four times a
second, as a bad line does. Memory is the resident set (proc(5)) at its most, over what it was once three fast uploads
had come and gone. Loop delay is what the server itself measures every 10 ms, while three files of 200 MB come as fast
as they can, again and again. `--quick` sends fewer of those.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench._ticker import tick
from bench.receiving import BOUNDARY, HEAD, RAM, SIZE_BYTES, form, is_roomy
from bench.receiving import tus as resumable
from bench.storm import metrics, percentile, rss_mib
from server import logs
from server.db.database import Database
from server.ports import SilentPublisher
from server.settings import Settings
from tests.api import Api
from tests.content.tus import OFFSET_STREAM, VERSION, begun
from tests.factories import World
from tests.program import Program

SLOW, EACH = 100, 5  # a person may have five open
SLOW_BYTES = 16 * 1024 * 1024  # what each promises, and never comes to the end of
PIECE, PAUSE_SECONDS = 16 * 1024, 0.25
CALM_SECONDS = 8.0  # long enough for each to fill whatever is kept in memory of it
SAMPLE_SECONDS = 0.1
FAST, ROUNDS = 3, 6
MUST_MIB, AIM_MIB = 40.0, 25.0
MUST_SECONDS, AIM_SECONDS = 0.010, 0.005


@dataclass(frozen=True, slots=True)
class Seen:
    """Memory in MiB, delays in seconds; `late` is the bare ticker's in this process."""

    before: float
    most: float
    delay_p99: float
    busy_p99: float
    ticks: int
    late: list[float]

    @property
    def growth(self) -> float:
        return self.most - self.before


async def seen(slow: int, *, rounds: int, seconds: float = CALM_SECONDS, pause: float = PAUSE_SECONDS) -> Seen:
    """Start a server, warm it, hold `slow` uploads open and send `rounds` times three fast ones beside them."""
    with tempfile.TemporaryDirectory(prefix="lectern-slow-", dir=RAM if is_roomy(RAM) else None) as name:
        program = Program(Path(name), "serve", "--only", "web", LECTERN_LOG_LEVEL="error")
        await program.start()
        try:
            return await _held(program, slow, rounds, seconds, pause)
        finally:
            await program.stop()


async def _held(program: Program, slow: int, rounds: int, seconds: float, pause: float) -> Seen:
    tokens, course = await teachers(program, -(-slow // EACH))
    await _fast(program, tokens[-1], course[tokens[-1]])
    before, most, late = rss_mib(program.pid), 0.0, list[float]()

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, rss_mib(program.pid))
            await asyncio.sleep(SAMPLE_SECONDS)

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        )
        tasks = [asyncio.create_task(watch())]
        stack.push_async_callback(_ended, tasks)
        for number in range(slow):
            token = tokens[number % len(tokens)]
            send = by_form if number % 2 else by_tus
            tasks.append(asyncio.create_task(send(Slow(program, session, token, course[token], pause))))
        await asyncio.sleep(seconds)
        tasks.append(asyncio.create_task(tick(late)))
        calm = await metrics(program)
        for _ in range(rounds):
            await _fast(program, tokens[-1], course[tokens[-1]])
        shown = await metrics(program)
        ended = [task for task in tasks if task.done()]
        assert not ended, f"{len(ended)} slow ones did not last: {ended[0]}"
    parts = (Path(program.environment["LECTERN_DATA_DIR"]) / "uploads" / "incoming").glob("*.part")
    assert sum(1 for _ in parts) >= slow // 2  # what the forms leave goes; the resumable stay
    return Seen(
        before,
        most,
        percentile(shown, calm, "lectern_loop_delay", 0.99),
        percentile(shown, calm, "lectern_loop_busy", 0.99),
        int(shown["lectern_loop_delay_seconds_count"] - calm["lectern_loop_delay_seconds_count"]),
        late,
    )


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def teachers(program: Program, count: int) -> tuple[list[str], dict[str, int]]:
    """Tokens of so many people and one more, and the course each teaches."""
    settings = Settings.model_validate({"LECTERN_DATA_DIR": program.environment["LECTERN_DATA_DIR"]})
    database = Database.open(settings.database_url, publisher=SilentPublisher())
    try:
        world = await World.with_cast(database, settings.secret_key)
        course = dict[str, int]()
        for number in range(count + 1):
            await world.person(f"teacher{number}", role="expert")
            made = await world.course(f"teacher{number}")
            course[world.token(f"teacher{number}")] = made.id
        return list(course), course
    finally:
        await database.close()


@dataclass(frozen=True, slots=True)
class Slow:
    """One who sends slowly."""

    program: Program
    session: aiohttp.ClientSession
    token: str
    course: int
    pause: float


async def drops(head: bytes, size: int, pause: float) -> AsyncIterator[bytes]:
    """`head` and then zeros, a piece at a time."""
    yield head
    left = size - len(head)
    while left > 0:
        await asyncio.sleep(pause)
        yield bytes(min(PIECE, left))
        left -= PIECE


async def by_form(slow: Slow) -> None:
    fields = {"course_id": str(slow.course), "type": "video", "title": "Slowly"}
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    parts.append('Content-Disposition: form-data; name="file"; filename="film.mp4"\r\n\r\n')
    head = "".join(f"--{BOUNDARY}\r\n{part}\r\n" for part in parts).encode()[:-2] + HEAD
    headers = {
        "Authorization": f"Bearer {slow.token}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(SLOW_BYTES),
    }
    url = f"{slow.program.url}/courses/upload-content"
    async with slow.session.post(url, headers=headers, data=drops(head, SLOW_BYTES, slow.pause)) as answer:
        raise AssertionError(f"a form ended early: {answer.status} {await answer.text()}")


async def by_tus(slow: Slow) -> None:
    path = await begun(Api(slow.session, slow.program.url, slow.token), slow.course, SLOW_BYTES)
    headers = {
        **VERSION,
        "Authorization": f"Bearer {slow.token}",
        "Content-Type": OFFSET_STREAM,
        "Upload-Offset": "0",
        "Content-Length": str(SLOW_BYTES),
    }
    async with slow.session.patch(
        slow.program.url + path, headers=headers, data=drops(HEAD, SLOW_BYTES, slow.pause)
    ) as answer:
        raise AssertionError(f"an upload ended early: {answer.status} {await answer.text()}")


async def _fast(program: Program, token: str, course: int) -> None:
    """Three at once, each as fast as it goes; then room for the next ones."""
    ways = (form, f"{program.url}/courses/upload-content"), (resumable, f"{program.url}/courses/uploads")
    await asyncio.gather(*(asyncio.to_thread(ways[n % 2][0], ways[n % 2][1], course, token) for n in range(FAST)))
    for file in (Path(program.environment["LECTERN_DATA_DIR"]) / "uploads").rglob("original"):
        file.unlink()


async def main() -> int:
    """Print the figures; 1 when one misses what it must be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    logs.configure(level="error")
    found = await seen(SLOW, rounds=2 if parser.parse_args().quick else ROUNDS)
    ticks = statistics.quantiles(found.late, n=100)
    print(f"{SLOW} slow uploads, then {FAST} fast ones of {SIZE_BYTES // 1_048_576} MB beside them:")
    print(
        f"  bare 5 ms ticker in the clients' process: p50 {ticks[49] * 1e3:.1f} ms   p99 {ticks[98] * 1e3:.1f} ms late"
    )
    print(f"  memory {found.before:.1f} MiB before, {found.most:.1f} MiB at the most")
    print(f"  {found.ticks:,} ticks of the loop; of a delay computed by itself, p99 within {found.busy_p99 * 1e3:g} ms")
    lines = [
        ("memory grew by", found.growth, "MiB", MUST_MIB, AIM_MIB),
        ("loop delay, p99 within", found.delay_p99 * 1e3, "ms", MUST_SECONDS * 1e3, AIM_SECONDS * 1e3),
    ]
    for name, value, unit, must, aim in lines:
        print(
            f"  {name:<24} {value:5.1f} {unit}: must {must:g} {'met' if value <= must else 'missed'}, "
            f"aim {aim:g} {'met' if value <= aim else 'missed'}"
        )
    return int(any(value > must for _, value, _, must, _ in lines))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""What is done to the server, one function a scenario; each leaves its figures in the report."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Final

from server.load_test import queues
from server.load_test.load import CHAT_PER_SECOND, STALLED_LINE, Load
from server.load_test.members import Member
from server.load_test.report import Times
from server.load_test.stage import Stage

BACK_SECONDS = 60.0  # a storm that is not over by then has failed
RETURNING = 20  # members whose catch-up is timed
WARM_SECONDS = 2.0
BUFFER_CAP_BYTES = 1 << 20  # signaling/transport/limits.py: with more unread a client is cut
Scenario = Callable[[Stage], Awaitable[None]]


class NotBack(SystemExit):
    """Not everybody came back in BACK_SECONDS; the text is one line."""


def sizes(load: Load) -> list[int]:
    """How many people each room needs: storms have one more in each, who goes on writing meanwhile."""
    if load.scenario in ("reconnect", "restart"):
        return [size + 1 for size in load.room_sizes]
    if load.scenario == "stalled":
        return [load.connections - load.stalled, load.connections]
    return load.room_sizes


async def chat(stage: Stage) -> None:
    await stage.enter(stage.members)
    await stage.talk(stage.in_turns(), stage.load.rate, stage.load.seconds)
    await _settled(stage, stage.members)


async def idle(stage: Stage) -> None:
    """Memory a client: before anybody came, after warming up with one who leaves again, and with all inside."""
    first, *others = stage.members
    await stage.enter([first])
    first.cut()
    await asyncio.sleep(WARM_SECONDS)
    before = stage.server.memory_mb()
    await stage.enter(others)
    await asyncio.sleep(stage.load.seconds)
    after = stage.server.memory_mb()
    if before and after:
        stage.report.extra["KiB_per_client"] = round((after[0] - before[0]) * 1e6 / 1024 / len(others), 1)


async def reconnect(stage: Stage) -> None:
    async def cut() -> None:
        for room in stage.rooms:
            for member in room[:-1]:
                member.cut()

    await _storm(stage, cut, [member for room in stage.rooms for member in room[:-1]])


async def restart(stage: Stage) -> None:
    async def cut() -> None:
        await stage.server.kill()
        began = time.perf_counter()
        await stage.server.start()
        stage.report.extra["server_ready_again_after"] = f"{time.perf_counter() - began:.1f} s"
        stage.report.notes.append("Shares of a core are of the second server, and of the whole run.")

    await _storm(stage, cut, stage.members)


async def catch_up(stage: Stage) -> None:
    await stage.enter(stage.members)
    away, staying = stage.members[:RETURNING], stage.members[RETURNING:]
    for member in away:
        member.cut()
    await stage.talk(staying, stage.load.rate, stage.load.missed / stage.load.rate)
    await stage.settle(staying)
    times, loop = list[float](), asyncio.get_running_loop()
    for number, member in enumerate(away):
        began = loop.time()
        await member.enter()
        times.append(loop.time() - began)
        stage.tell("catching up", number + 1, len(away))
    stage.report.extra["caught_up_after"] = asdict(Times.of(times))
    await _settled(stage, stage.members)


async def stalled(stage: Stage) -> None:
    """The same lines in a room without them first, then in a larger one where `load.stalled` stop reading."""
    load = stage.load
    await stage.enter(stage.members)
    calm, room = stage.rooms
    deaf, healthy = room[: load.stalled], room[load.stalled :]
    await stage.talk(_writers(calm, load), load.rate, load.seconds, text=STALLED_LINE)
    await stage.settle([*calm, *healthy])
    stalls = []
    for member in deaf:
        assert member.socket is not None and member.socket.transport is not None
        member.socket.transport.pause_reading()
        stalls.append(queues.Stall(member.socket.transport.get_extra_info("sockname")[1]))
    listener = healthy[-1].socket  # writes no line, so it gets what the deaf are sent
    assert listener is not None
    before = listener.received_bytes
    watching = asyncio.create_task(
        queues.watch(stalls, stage.server.port, lambda: listener.received_bytes - before, BUFFER_CAP_BYTES)
    )
    try:
        await stage.talk(_writers(healthy[:-1], load), load.rate, 3 * load.seconds, text=STALLED_LINE, until=watching)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    for member in deaf:
        member.cut()
    await _settled(stage, [*calm, *healthy])
    alone = Times.of(calm[0].ledger.delivery_seconds)
    beside = Times.of(room[0].ledger.delivery_seconds)
    cut = [stall.seconds for stall in stalls if stall.seconds is not None]
    stage.report.extra.update(
        delivered_without_stalled=asdict(alone),
        delivered_beside_stalled=asdict(beside),
        cut=f"{len(cut)} of {len(stalls)}",
        cut_after_passing_the_cap=asdict(Times.of(cut)),
        p99_beside_to_without=round(beside.p99 / alone.p99, 2) if alone.p99 else None,
    )


def _writers(members: Sequence[Member], load: Load) -> Sequence[Member]:
    """Few enough that most only listen, and enough that nobody writes faster than one may."""
    return members[: int(load.rate / CHAT_PER_SECOND) + 2]


async def _storm(stage: Stage, cut: Callable[[], Awaitable[None]], members: Sequence[Member]) -> None:
    """Everybody is cut at once, misses what goes on being written, and comes back as the official client would."""
    load, loop = stage.load, asyncio.get_running_loop()
    writers = [room[-1] for room in stage.rooms]
    await stage.enter(stage.members)
    await stage.talk(writers, load.rate, load.seconds, until_kept=True)
    talking = asyncio.create_task(stage.talk(writers, load.rate, BACK_SECONDS, until_kept=True))
    began, done = loop.time(), 0

    async def back(member: Member) -> float:
        nonlocal done
        at = await member.come_back()
        done += 1
        stage.tell("coming back", done, len(members))
        return at

    cutting = asyncio.ensure_future(cut())
    for member in members:
        member.cut()
    try:
        async with asyncio.timeout(BACK_SECONDS):
            times = await asyncio.gather(*(back(member) for member in members))
            await cutting
    except TimeoutError:
        raise NotBack(f"Only {done} of {len(members)} were back after {BACK_SECONDS:.0f} s.") from None
    finally:
        for task in (talking, cutting):
            task.cancel()
        await asyncio.gather(talking, cutting, return_exceptions=True)
    stage.report.extra["back_and_synced_after"] = asdict(Times.of(at - began for at in times))
    await _settled(stage, stage.members)


async def _settled(stage: Stage, members: Sequence[Member]) -> None:
    await stage.settle(members)
    stage.judge(members)


SCENARIOS: Final[dict[str, Scenario]] = {
    "chat": chat,
    "lecture": chat,
    "reconnect": reconnect,
    "restart": restart,
    "catch-up": catch_up,
    "stalled": stalled,
    "idle": idle,
}

"""What one authenticated join costs the server, beside the bare connect of Node's Socket.IO server.

A join here is the WebSocket, `connect` with a token, `join` with its answer (snapshot or missed events, roster), the
presence told to everybody and the seat committed. In each room somebody is already, who stays: the room is known to the
server. Node's side is the WebSocket and `connect` alone: no token, no room, no database. A real server process on
SQLite; the crowd is this process. CPU time of the server process is counted, all its threads, until it is quiet again.

What counts is a class that begins: everybody was told of it and comes at once. Beside it the same with at most
FEW_AT_ONCE tabs on their way, as behind a busy network: groups are small then, and who is in is told more often.

Of both servers the best of three crowds counts, of which the first warms them; ours are other people in other classes
each time. What the first crowd of each costs is told beside it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import insert

from bench._crowd import Tab, opened
from bench._peers import Peer, cpu_seconds, install
from server import logs
from server.accounts.tables import SignIn, User
from server.db.database import Database
from server.ports import SilentPublisher
from server.settings import Settings
from tests.factories import NO_PASSWORD, Person, World
from tests.program import Program

HOST = "127.0.0.1"
PEOPLE, FEW_AT_ONCE, CROWDS = 1_000, 100, 3
SHAPES = ((1, 1_000), (20, 50))  # rooms, people who come into each
MUST_OF_NODE, AIM_OF_NODE = 4.0, 1.5
MUST_BACK_SECONDS, AIM_BACK_SECONDS = 15.0, 8.0
MUST_IDLE_KIB, AIM_IDLE_KIB = 32.0, 24.0
QUIET_SECONDS = 0.5  # the last bundles of presence have gone out by then


@dataclass(frozen=True, slots=True)
class Seat:
    """Whose tab it is, and which room it enters."""

    token: str
    live_session_id: int


async def main() -> int:
    """Print the costs beside Node's; 1 when one is over its limit."""
    logs.configure(level="error")
    passed = True
    for at_once in (PEOPLE, FEW_AT_ONCE):
        bare = await node_connects(at_once)
        for rooms, each in SHAPES:
            with tempfile.TemporaryDirectory(prefix="lectern-bench-") as folder:
                async with running(Path(folder)) as program:
                    is_within = await one_shape(program, rooms, each, bare, at_once)
                    passed &= is_within or at_once < PEOPLE
    return 0 if passed else 1


async def one_shape(program: Program, rooms: int, each: int, bare: float, at_once: int) -> bool:
    crowds = await furnished(program, rooms, each)
    await left(await entered(program, crowds[0][:1]))
    before = resident_kib(program.pid)
    firsts, returns = list[float](), list[tuple[float, float]]()
    idle = 0.0
    for everybody in crowds:
        there, seats = apart(everybody)
        stay = await entered(program, there)
        await quiet(partial(cpu_seconds, program.pid))
        _, cost, tabs = await counted(program.pid, entered(program, seats, at_once=at_once), len(seats))
        firsts.append(cost)
        idle = (resident_kib(program.pid) - before) / len(seats)
        back = reached(seats, tabs)
        await left(tabs)
        await quiet(partial(cpu_seconds, program.pid))
        took_again, cost_again, tabs = await counted(program.pid, entered(program, seats, back, at_once), len(seats))
        returns.append((cost_again, took_again))
        await left([*stay, *tabs])
        await quiet(partial(cpu_seconds, program.pid))
    cold, cost, cost_again = firsts[0], min(firsts), min(cost for cost, _ in returns)
    took_again = max(took for _, took in returns)
    print(f"{rooms} room(s) of {each}, {min(at_once, rooms * each)} tabs on their way at once:")
    print(f"  the first crowd of all: {cold * 1e6:.0f} us CPU; the best of {CROWDS}:")
    print(f"  first join  {cost * 1e6:5.0f} us CPU{beside(cost, bare)}")
    print(f"  coming back {cost_again * 1e6:5.0f} us CPU{beside(cost_again, bare)}, all back after {took_again:.1f} s")
    print(
        f"  that is {took_again / MUST_BACK_SECONDS:.2f} of the limit, {took_again / AIM_BACK_SECONDS:.2f} of the aim"
    )
    of_must, of_aim = idle / MUST_IDLE_KIB, idle / AIM_IDLE_KIB
    print(f"  {idle:.1f} KiB a joined tab: {of_must:.2f} of the limit, {of_aim:.2f} of the aim")
    in_time = took_again <= MUST_BACK_SECONDS and idle <= MUST_IDLE_KIB
    return in_time and max(cost, cost_again) <= MUST_OF_NODE * bare


def apart(seats: Sequence[Seat]) -> tuple[list[Seat], list[Seat]]:
    """Who is in each room already, and who comes."""
    there = {seat.live_session_id: seat for seat in reversed(seats)}
    return list(there.values()), [seat for seat in seats if there[seat.live_session_id] is not seat]


def resident_kib(pid: int) -> int:
    """Memory a process holds now, shared pages included (proc(5), /proc/pid/status)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def beside(cost: float, bare: float) -> str:
    return f" = {cost / bare:.1f} of Node's bare connect"


async def counted(pid: int, entering: Awaitable[list[Tab]], people: int) -> tuple[float, float, list[Tab]]:
    """Seconds until all are in, CPU seconds of the server each until it is quiet, and the tabs."""
    spent, started = cpu_seconds(pid), time.perf_counter()
    tabs = await entering
    took = time.perf_counter() - started
    await quiet(partial(cpu_seconds, pid))
    return took, (cpu_seconds(pid) - spent) / people, tabs


async def quiet(cost: Callable[[], float]) -> None:
    """Until the process has done next to nothing for a while."""
    while True:
        spent = cost()
        await asyncio.sleep(QUIET_SECONDS)
        if cost() - spent <= 0.02:
            return


async def entered(
    program: Program, seats: Sequence[Seat], back: Sequence[dict[str, object]] | None = None, at_once: int = FEW_AT_ONCE
) -> list[Tab]:
    """A tab in its room for each seat; with `back` it says how far it had come."""
    gate = asyncio.Semaphore(at_once)

    async def one(number: int, seat: Seat) -> Tab:
        async with gate:
            tab = await Tab.open(HOST, program.port, {"token": seat.token})
            wish: dict[str, object] = {"live_session_id": seat.live_session_id}
            tab.answer = await tab.wish("join", wish if back is None else {**wish, "after": back[number]})
            assert tab.answer.startswith(b'[{"ok":true'), tab.answer[:500]
            return tab

    return list(await asyncio.gather(*(one(number, seat) for number, seat in enumerate(seats))))


async def left(tabs: Sequence[Tab]) -> None:
    """All gone at once, without a word."""
    for tab in tabs:
        tab.cut()
    await asyncio.gather(*(tab.over for tab in tabs))


def reached(seats: Sequence[Seat], tabs: Sequence[Tab]) -> list[dict[str, object]]:
    """How far each tab has come: all of a room have heard of the last one who entered it."""
    last: dict[int, dict[str, object]] = {}
    for seat, tab in zip(seats, tabs, strict=True):
        (answer,) = json.loads(tab.answer)
        before = last.get(seat.live_session_id, answer)
        last[seat.live_session_id] = {"epoch": answer["epoch"], "seq": max(before["seq"], answer["seq"])}
    return [last[seat.live_session_id] for seat in seats]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Program]:
    program = Program(folder, "serve", LECTERN_LOG_LEVEL="error", LECTERN_SEAT_SECONDS="600")
    await program.start()
    try:
        yield program
    finally:
        await program.stop()


async def furnished(program: Program, rooms: int, each: int) -> list[list[Seat]]:
    """For each crowd so many live classes of one student more than `each`, in the server's database."""
    settings = Settings.model_validate({"LECTERN_DATA_DIR": program.environment["LECTERN_DATA_DIR"]})
    database = Database.open(settings.database_url, publisher=SilentPublisher())
    try:
        world = await World.with_cast(database, settings.secret_key)
        of_class = each + 1
        names = await students(world, CROWDS * rooms * of_class)
        seats = []
        for start in range(0, len(names), of_class):
            there = names[start : start + of_class]
            room = await world.live_session("ana", there)
            seats += [Seat(world.token(name), room.id) for name in there]
        return [seats[start : start + rooms * of_class] for start in range(0, len(seats), rooms * of_class)]
    finally:
        await database.close()


async def students(world: World, count: int) -> list[str]:
    """So many people, each signed in once."""
    names = [f"student{number}" for number in range(count)]
    async with world.database.work("students") as work:
        now = work.now
        person = {"role": "student", "password_hash": NO_PASSWORD, "created_at": now, "updated_at": now}
        rows = [{"email": f"{name}@example.org", "name": name.title(), **person} for name in names]
        found = await work.execute(insert(User).returning(User.id, sort_by_parameter_order=True), rows)
        ids = [user_id for (user_id,) in found]
        sign_ins = [
            SignIn(user_id=user_id, generation=0, rotated_at=now, created_at=now, expires_at=now + timedelta(days=14))
            for user_id in ids
        ]
        work.session.add_all(sign_ins)
        await work.flush()
        for name, user_id, sign_in in zip(names, ids, sign_ins, strict=True):
            world.people[name] = Person(user_id, f"{name}@example.org", name.title(), "student", sign_in.id)
    return names


async def node_connects(at_once: int) -> float:
    """CPU seconds of Node's server for one bare connect."""
    install()
    peer = Peer("node", "{}")
    await peer.start()
    try:
        costs = []
        for _ in range(CROWDS):  # the first warms it up
            spent = peer.cpu_seconds()
            tabs = await opened(HOST, peer.port, [{}] * PEOPLE, at_once)
            await quiet(peer.cpu_seconds)
            costs.append((peer.cpu_seconds() - spent) / PEOPLE)
            await left(tabs)
            await quiet(peer.cpu_seconds)
    finally:
        await peer.stop()
    bare = min(costs)
    print(f"Node's bare connect, {at_once} at once: {bare * 1e6:.0f} us CPU (the first {PEOPLE}: {costs[0] * 1e6:.0f})")
    return bare


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

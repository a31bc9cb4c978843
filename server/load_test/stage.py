"""Everything one run works with, and the steps that scenarios share."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from server.load_test.ledger import Ledger
from server.load_test.load import Load
from server.load_test.members import Crowd, Member
from server.load_test.process import HOST, ServerFailed, ServerProcess
from server.load_test.report import Report, Times
from server.load_test.world import World

SETTLE_SECONDS = 15.0  # for what was acknowledged to arrive; what has not by then is lost
LINE = "What does the second harmonic do at the wall, and why?"
Tell = Callable[[str, float, float], None]  # what is being done, how far, of how much


@dataclass(slots=True)
class Stage:
    load: Load
    server: ServerProcess
    world: World
    report: Report
    tell: Tell
    crowd: Crowd
    rooms: list[list[Member]] = field(default_factory=list)

    @classmethod
    def of(cls, load: Load, server: ServerProcess, world: World, report: Report, tell: Tell) -> Stage:
        crowd = Crowd(server.port)
        rooms = []
        for live_session_id, people in zip(world.live_session_ids, world.members, strict=True):
            ledger = Ledger()
            rooms.append([Member(crowd, person, live_session_id, ledger) for person in people])
        return cls(load, server, world, report, tell, crowd, rooms)

    @property
    def members(self) -> list[Member]:
        return [member for room in self.rooms for member in room]

    async def start_classes(self) -> None:
        """All classes go live, over REST. Raises ServerFailed."""
        headers = {"Authorization": f"Bearer {self.world.host.token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for live_session_id in self.world.live_session_ids:
                url = f"http://{HOST}:{self.server.port}/live-sessions/{live_session_id}/start"
                async with session.patch(url) as answer:
                    if answer.status != 200:
                        raise ServerFailed(f"A class could not be started: {answer.status} {await answer.text()}")

    async def enter(self, members: Sequence[Member]) -> None:
        began = time.perf_counter()
        await self.crowd.enter(members, lambda done: self.tell("entering", done, len(members)))
        self.report.connect_seconds += time.perf_counter() - began

    async def talk(
        self,
        writers: Sequence[Member],
        rate: float,
        seconds: float,
        *,
        text: str = LINE,
        until_kept: bool = False,
        until: asyncio.Task[None] | None = None,
    ) -> None:
        """`rate` lines a second by `writers` in turn, for `seconds` or until `until` is done."""
        loop, turns = asyncio.get_running_loop(), itertools.cycle(writers)
        start, lines = loop.time(), round(rate * seconds)
        for number in range(lines):
            await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
            if until is not None and until.done():
                return
            next(turns).post(text, until_kept=until_kept)
            self.report.sent += 1
            self.tell("talking", number + 1, lines)

    def in_turns(self) -> list[Member]:
        """One of each room, then another of each, until everybody has had a turn."""
        rows = itertools.zip_longest(*self.rooms)
        return [member for row in rows for member in row if member is not None]

    async def settle(self, members: Sequence[Member]) -> None:
        """Wait until every line is answered and every member has got it, at most SETTLE_SECONDS."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_SECONDS
        ledgers = [room[0].ledger for room in self.rooms if room]
        while loop.time() < deadline:
            answered = sum(len(ledger.acknowledged) for ledger in ledgers) + self.crowd.given_up
            behind = any(member.position.seq < member.ledger.end for member in members)
            if answered >= self.report.sent and not behind:
                return
            await asyncio.sleep(0.05)

    def judge(self, members: Sequence[Member]) -> None:
        """Fill in the report from what members have got."""
        report = self.report
        ledgers = [room[0].ledger for room in self.rooms if room]
        report.acknowledged = sum(len(ledger.acknowledged) for ledger in ledgers)
        report.wrong = sum(ledger.wrong + ledger.mismatched() for ledger in ledgers)
        report.refused = sum(self.crowd.refusals.values())
        report.server_errors = self.crowd.server_errors
        for member in members:
            report.lost += member.position.lost
            report.doubled += member.position.doubled
            report.disordered += member.position.disordered
        report.ack_ms = Times.of(seconds for ledger in ledgers for seconds in ledger.ack_seconds)
        report.delivery_ms = Times.of(seconds for ledger in ledgers for seconds in ledger.delivery_seconds)
        if self.crowd.refusals:
            codes = ", ".join(f"{code} ({count})" for code, count in self.crowd.refusals.most_common())
            report.notes.append(f"Refused: {codes}.")

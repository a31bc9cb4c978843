"""The rooms' own tasks that write: sockets' commands wait in line and go together in the next transaction.

A client that vanishes cancels nothing, because no handler writes. PostgreSQL has one lane a room (its row lock is the
order); SQLite one for all, because its writer is one anyway. Each command gets its own answer, after the commit and
before its event is told.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import structlog

from server.db.database import Reading, Work
from server.errors import Away, Internal, LecternError
from server.metrics import Metrics
from signaling.rooms.commands import Enter, Vacate
from signaling.rooms.timeline import Answer, Judged, Timeline

GROUP = 128  # commands in one transaction; the rest wait for the next
HOLD_SECONDS = 0.15  # after it a transaction takes no more: other processes wait for its rows, LOCK_MS at most
LET_IN = 32  # of those who entered together, answered in one turn of the loop
IN_RUNS = (Enter, Vacate)  # what many people do at the same moment; neighbors in one group share their statements
CROWD, CROWD_SECONDS = 8, 0.04  # so many coming and going at once, and nothing else in line: more are waited for
SECONDS_FOR_ONE, LONGEST_SECONDS = 0.0004, 0.25  # and longer the more there are to tell of them: telling one costs 7 us
WAITING = 2_000  # commands waiting in one lane; more are refused with `away`, to be sent again
log = structlog.get_logger(__name__)
Show = Callable[[Reading], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Wanted:
    live_session_id: int
    command: Any
    actor_id: int | None
    client_id: str | None
    show: Show | None
    answer: asyncio.Future[Answer]


class Writer:
    """Group commit. act() is what handlers call; close() lets what is in line finish."""

    def __init__(self, timeline: Timeline, metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> None:
        self._timeline, self._metrics, self._clock = timeline, metrics, clock
        self._lanes: dict[int, deque[Wanted]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._pauses: dict[int, asyncio.Future[None]] = {}  # lanes that wait for more

    async def act(
        self,
        live_session_id: int,
        command: Any,
        *,
        actor_id: int | None = None,
        client_id: str | None = None,
        show: Show | None = None,
    ) -> Answer:
        """Carry out one room command. Raises LecternError: refused, or Away when it may be sent again.

        `show` reads, in the same transaction, what the acknowledgement adds: a handler that read it afterwards would
        let the events go first. It must not refuse.
        """
        lane_id = 0 if self._timeline.database.is_sqlite else live_session_id
        lane = self._lanes.setdefault(lane_id, deque())
        if len(lane) >= WAITING:
            raise Away("The class is very busy right now; try again in a moment.")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        lane.append(Wanted(live_session_id, command, actor_id, client_id, show, future))
        if len(lane) >= GROUP or not isinstance(command, IN_RUNS):
            self._go_on(lane_id)
        if lane_id not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._run(lane_id, lane))
            self._tasks[lane_id] = task
        return await future

    async def close(self) -> None:
        """Wait until everything in line is written."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, lane_id: int, lane: deque[Wanted]) -> None:
        try:
            while lane:
                await self._gather(lane_id, lane)
                group = [lane.popleft() for _ in range(min(GROUP, len(lane)))]
                lane.extendleft(reversed(await self._commit(group)))
        finally:
            del self._tasks[lane_id]
            del self._lanes[lane_id]

    async def _gather(self, lane_id: int, lane: deque[Wanted]) -> None:
        """While a crowd comes or goes, wait a little for more of it; whoever does anything else ends the wait."""
        if not CROWD <= len(lane) < GROUP or not all(isinstance(wanted.command, IN_RUNS) for wanted in lane):
            return
        loop = asyncio.get_running_loop()
        pause = self._pauses[lane_id] = loop.create_future()
        told = sum(map(self._timeline.registry.size, {wanted.live_session_id for wanted in lane}))
        seconds = max(CROWD_SECONDS, min(told * SECONDS_FOR_ONE, LONGEST_SECONDS))
        timer = loop.call_later(seconds, self._go_on, lane_id)
        try:
            await pause
        finally:
            timer.cancel()
            self._pauses.pop(lane_id, None)

    def _go_on(self, lane_id: int) -> None:
        if (pause := self._pauses.pop(lane_id, None)) is not None and not pause.done():
            pause.set_result(None)

    async def _commit(self, group: list[Wanted]) -> list[Wanted]:
        """Carry out as many as fit in one transaction's time, at least one; those that did not fit."""
        outcomes: dict[asyncio.Future[Answer], Judged] = {}
        started = self._clock()
        held_since = 0.0
        try:
            async with self._timeline.database.work("timeline") as work:
                work.after_rollback(lambda: self._timeline.doubt(work))
                for batch in _batches(group):
                    answers = (wanted.answer for wanted in batch)
                    outcomes.update(zip(answers, await self._judged(work, batch), strict=True))
                    now = self._clock()
                    held_since = held_since or now  # not before: the first one waited for its row
                    if now - held_since > HOLD_SECONDS:
                        break
        except LecternError as error:
            self._fail(group, error)
            return []
        except Exception as error:
            if len(group) > 1:
                # One command broke the transaction for all: each gets its own, so that only the guilty one fails.
                log.exception("group commit failed", commands=len(group))
                for wanted in group:
                    await self._commit([wanted])
                return []
            log.exception("room command failed", command=type(group[0].command).__name__)
            self._fail(group, error)
            return []
        self._timeline.adopt(work)
        self._metrics.commits.observe(self._clock() - started)
        entering = {wanted.answer for wanted in group if type(wanted.command) is Enter}
        for answer, outcome in outcomes.items():
            if answer not in entering:
                _settle(answer, outcome)
        # Answers first: their handlers run, and acknowledge, before the events of this commit are told; both happen
        # before the next group begins. Whoever enters is answered with a room that was told of it, so after that.
        entered = [(answer, outcome) for answer, outcome in outcomes.items() if answer in entering]
        asyncio.get_running_loop().call_soon(self._tell, work, entered)
        await asyncio.sleep(0)
        return [wanted for wanted in group if wanted.answer not in outcomes]

    def _tell(self, work: Work, entered: Sequence[tuple[asyncio.Future[Answer], Judged]]) -> None:
        try:
            self._timeline.tell(work)
        finally:
            self._let_in(entered)

    def _let_in(self, entered: Sequence[tuple[asyncio.Future[Answer], Judged]]) -> None:
        """Some in each turn of the loop: the answer to each is long."""
        for answer, outcome in entered[:LET_IN]:
            _settle(answer, outcome)
        if len(entered) > LET_IN:
            asyncio.get_running_loop().call_soon(self._let_in, entered[LET_IN:])

    @staticmethod
    def _fail(group: list[Wanted], error: Exception) -> None:
        for wanted in group:
            _settle(wanted.answer, error)

    async def _judged(self, work: Work, batch: Sequence[Wanted]) -> list[Judged]:
        """The outcomes of one command, or of many alike."""
        room, commands = batch[0].live_session_id, [wanted.command for wanted in batch]
        if isinstance(commands[0], Enter):
            return await self._timeline.judge_entries(work, _by_room(batch))
        if isinstance(commands[0], Vacate):
            return await self._timeline.judge_vacancies(work, room, commands)
        (wanted,) = batch
        try:
            answer = await self._timeline.judge(work, room, wanted.command, wanted.actor_id, wanted.client_id)
        except Away:
            raise
        except LecternError as refusal:
            return [refusal]
        return [replace(answer, extra={**answer.extra, **await wanted.show(work)}) if wanted.show else answer]


def _batches(group: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    """The group in order, one at a time; but neighbors that go together, and those of all rooms together that enter."""
    for kind, run in groupby(group, key=lambda wanted: type(wanted.command)):
        if kind not in IN_RUNS:
            yield from ([wanted] for wanted in run)
            continue
        by_room: dict[int, list[Wanted]] = {}
        for wanted in run:
            by_room.setdefault(wanted.live_session_id, []).append(wanted)
        if kind is Enter:
            yield [wanted for room in by_room.values() for wanted in room]
        else:
            yield from by_room.values()


def _by_room(batch: Sequence[Wanted]) -> dict[int, list[Enter]]:
    entering: dict[int, list[Enter]] = {}
    for wanted in batch:
        entering.setdefault(wanted.live_session_id, []).append(wanted.command)
    return entering


def _settle(future: asyncio.Future[Answer], outcome: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Answer):
        future.set_result(outcome)
    else:
        error = outcome if isinstance(outcome, LecternError) else Internal()
        future.set_exception(error)
        future.exception()  # a client that has gone does not fetch its answer; that is no fault of ours

"""Keeping one process responsive: short loop turns, short collector pauses, enough descriptors, and both measured.

`run` is how the program's loop is started. Nothing here knows what the program does.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import select
import sys
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from server.turns import LOOK_SECONDS, Look, ShortTurnedLoop

YOUNG_OBJECTS = 10_000  # a run of the collector looks at so many: a few milliseconds
OLD_SECONDS = 0.1  # what outlived the young runs is looked at once this often at most, and then kept out of later runs
FULL_SECONDS = 300.0  # everything is looked at this often, if that is expected to take no longer than
FULL_PAUSE_SECONDS = 0.04
FULL_BLOCKS = 4_000_000  # and whenever there are this many blocks of memory and three times those of the last full run
SECONDS_PER_BLOCK = 1e-7  # of a full run, until one was measured


class Gauge(Protocol):
    """A metric that remembers a value."""

    def set(self, value: float) -> None: ...


class Observed(Protocol):
    """A metric that counts values."""

    def observe(self, amount: float) -> None: ...


class Shown(Protocol):
    """Where the pulse is shown, all in seconds; the longest ones since the start."""

    @property
    def loop_delay(self) -> Observed: ...
    @property
    def longest_loop_delay(self) -> Gauge: ...
    @property
    def loop_busy(self) -> Observed: ...
    @property
    def longest_loop_busy(self) -> Gauge: ...
    @property
    def gc_pause(self) -> Observed: ...
    @property
    def longest_gc_pause(self) -> Gauge: ...


@contextmanager
def loading() -> Iterator[None]:
    """Load modules without the collector looking through them again and again: it took a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run the program on a loop with short turns and a tuned collector, with as many descriptors as allowed."""
    raise_descriptor_limit()
    with asyncio.Runner(loop_factory=short_turned_loop) as runner:
        runner.run(_collected(work))


async def _collected(work: Coroutine[Any, Any, None]) -> None:
    collector = Collector()
    collector.start()
    try:
        await work
    finally:
        collector.close()


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one: each client is one. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS names a hard limit it does not grant
            return soft
    return hard


def short_turned_loop() -> asyncio.AbstractEventLoop:
    """The standard loop; where the system has epoll, ten thousand ready sockets do not become one long turn."""
    return ShortTurnedLoop() if hasattr(select, "epoll") else asyncio.SelectorEventLoop()


class Watched:
    """Calls `look` with the longest delay of the running loop since it was last called, while it has something to do.

    A loop that cannot tell when its turns end is asked by a timer, which under-reports by at most LOOK_SECONDS.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        if isinstance(self._loop, ShortTurnedLoop):
            self._loop.watch(look)
        else:
            self._again()

    def close(self) -> None:
        """Twice is fine."""
        if isinstance(self._loop, ShortTurnedLoop):
            self._loop.unwatch(self._look)
        elif self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        due = self._loop.time() + LOOK_SECONDS
        self._timer = self._loop.call_at(due, self._beat, due)

    def _beat(self, due: float) -> None:
        self._look(max(0.0, self._loop.time() - due))
        self._again()


class Collector:
    """The garbage collector in bounded portions.

    Young runs stay automatic. What outlives them is looked at once, soon, in small amounts, and then kept out of
    later runs, which would otherwise walk through every client each time. What turns to garbage in there waits for a
    full run: they come when they are short (few clients), or when much has gathered.
    """

    def __init__(self) -> None:
        self._watched: Watched | None = None
        self._looked_at = time.monotonic()
        self._before = gc.get_threshold()
        self._seconds_per_block = SECONDS_PER_BLOCK
        self._full_at = time.monotonic()
        self._blocks = 0

    def start(self) -> None:
        gc.set_threshold(YOUNG_OBJECTS, 1_000_000_000, 1_000_000_000)
        self.full()
        self._watched = Watched(self._look)

    def close(self) -> None:
        """Leave the collector as it was; twice is fine."""
        if self._watched is not None:
            self._watched.close()
            self._watched = None
            gc.set_threshold(*self._before)
            gc.unfreeze()

    def _look(self, late: float) -> None:
        now = time.monotonic()
        if now - self._looked_at < OLD_SECONDS:
            return
        self._looked_at = now
        if now - self._full_at > FULL_SECONDS and self.is_full_due(sys.getallocatedblocks()):
            self.full()
        elif gc.get_count()[1]:  # a young run has handed something on
            gc.collect(1)  # all there is: the oldest are kept out; a run of theirs would also drop spare objects
            gc.freeze()

    def is_full_due(self, blocks: int) -> bool:
        """Whether a full run with `blocks` of memory in use is short, or needed whatever it takes."""
        if blocks * self._seconds_per_block <= FULL_PAUSE_SECONDS:
            return True
        return blocks > max(FULL_BLOCKS, 3 * self._blocks)

    def full(self) -> None:
        """Look at everything, and keep what is left out of later runs."""
        gc.unfreeze()
        began = time.perf_counter()
        gc.collect()
        took = time.perf_counter() - began
        gc.freeze()
        # Not gc.get_freeze_count(): it walks through everything kept, which is the pause this class is there to avoid.
        self._blocks, self._full_at = sys.getallocatedblocks(), time.monotonic()
        self._seconds_per_block = took / self._blocks


class Pulse:
    """How long the loop lets due things wait, and how long the collector stops everything: what to watch.

    Late is what a client feels. How much of that the loop computed is told apart from a machine busy with others.
    Nothing is measured, and nothing spent, while there is nothing to do.
    """

    def __init__(self, metrics: Shown) -> None:
        self._metrics = metrics
        self._longest = self._busiest = self._longest_collection = 0.0
        self._pauses: list[float] = []  # a metric has a lock, which the collector may stop a holder of
        self._watched: Watched | None = None
        self._computed = self._began = 0.0

    def start(self) -> None:
        gc.callbacks.append(self._collected)
        self._computed = time.thread_time()
        self._watched = Watched(self._look)

    def close(self) -> None:
        """Twice is fine."""
        if self._watched is not None:
            self._watched.close()
            self._watched = None
            gc.callbacks.remove(self._collected)

    def _look(self, late: float) -> None:
        self._metrics.loop_delay.observe(late)
        if late > self._longest:
            self._longest = late
            self._metrics.longest_loop_delay.set(late)
        before, self._computed = self._computed, time.thread_time()
        busy = min(late, self._computed - before)
        self._metrics.loop_busy.observe(busy)
        if busy > self._busiest:
            self._busiest = busy
            self._metrics.longest_loop_busy.set(busy)
        if self._pauses:
            self._publish()

    def _publish(self) -> None:
        pauses, self._pauses = self._pauses, []
        for took in pauses:
            self._metrics.gc_pause.observe(took)
        if max(pauses) > self._longest_collection:
            self._longest_collection = max(pauses)
            self._metrics.longest_gc_pause.set(self._longest_collection)

    def _collected(self, phase: str, info: Mapping[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
            return
        self._pauses.append(now - self._began)

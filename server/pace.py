"""Keeping one process responsive: short loop turns, short collector pauses, enough descriptors, and both measured.

`run` is how the program's loop is started. Nothing here knows what the program does.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import select
import selectors
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

TICK_SECONDS = 0.01  # how often lateness is looked at: a stall is under-reported by at most this
TURN_SECONDS = 0.01  # what one turn of the loop should take; after a longer one fewer sockets are served in the next
FEWEST_EVENTS, MOST_EVENTS = 8, 256  # sockets served in one turn
YOUNG_OBJECTS, YOUNG_RUNS = 2_000, 5  # so a run of the collector looks at some 10,000 objects: a few milliseconds
OLD_SECONDS = 0.25  # what outlived the young runs is looked at once this often, and then kept out of later runs
FULL_SECONDS = 300.0  # everything is looked at this often, if that is expected to take no longer than
FULL_PAUSE_SECONDS = 0.04
FULL_OBJECTS = 2_000_000  # and whenever objects kept out are this many and three times those of the last full run
SECONDS_PER_OBJECT = 1e-7  # of a full run, until one was measured


class Gauge(Protocol):
    """A metric that remembers a value."""

    def set(self, value: float) -> None: ...


class Observed(Protocol):
    """A metric that counts values."""

    def observe(self, amount: float) -> None: ...


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
    return asyncio.SelectorEventLoop(ShortTurns() if hasattr(select, "epoll") else None)


class ShortTurns(selectors.BaseSelector):
    """Epoll that gives the loop as many ready sockets as it worked off in about `TURN_SECONDS` before.

    The rest stay ready, and the kernel hands them out in turn, so none is passed over.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._most = MOST_EVENTS
        self._handed = 0
        self._left = 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = _fd_of(fileobj)
        if fd in self._keys:
            raise KeyError(f"{fileobj!r} is registered already")
        key = selectors.SelectorKey(fileobj, fd, events, data)
        self._epoll.register(fd, _mask(events))
        self._keys[fd] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = self._keys.pop(self.get_key(fileobj).fd)
        try:
            self._epoll.unregister(key.fd)
        except OSError:  # closed already
            pass
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self.get_key(fileobj)
        if events != key.events:
            self._epoll.modify(key.fd, _mask(events))
        changed = self._keys[key.fd] = key._replace(events=events, data=data)
        return changed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Ready sockets, at most as many as a short turn works off; `timeout` in seconds."""
        if self._handed:
            self._adapt(time.perf_counter() - self._left)
        # Rounded up to the clock's step, or a timer would be waited for in a busy loop.
        wait = -1 if timeout is None else max(0.0, -(-timeout // 1e-3) * 1e-3)
        try:
            ready = self._epoll.poll(wait, self._most)
        except InterruptedError:
            ready = []
        self._handed, self._left = len(ready), time.perf_counter()
        found = []
        for fd, happened in ready:
            key = self._keys.get(fd)
            if key is not None:
                events = (happened & ~select.EPOLLIN and selectors.EVENT_WRITE) | (
                    happened & ~select.EPOLLOUT and selectors.EVENT_READ
                )
                found.append((key, events & key.events))
        return found

    def _adapt(self, took: float) -> None:
        if took > TURN_SECONDS:
            self._most = max(FEWEST_EVENTS, self._most // 2)
        elif took < TURN_SECONDS / 2 and self._most < MOST_EVENTS and self._handed == self._most:
            self._most = min(MOST_EVENTS, self._most * 2)

    def close(self) -> None:
        self._epoll.close()
        self._keys.clear()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        try:
            return self._keys[_fd_of(fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None


def _fd_of(fileobj: Any) -> int:
    fd: int = fileobj if isinstance(fileobj, int) else fileobj.fileno()
    if fd < 0:
        raise ValueError(f"{fileobj!r} is closed")
    return fd


def _mask(events: int) -> int:
    return (events & selectors.EVENT_READ and select.EPOLLIN) | (events & selectors.EVENT_WRITE and select.EPOLLOUT)


class Collector:
    """The garbage collector in bounded portions.

    Young runs stay automatic. What outlives them is looked at soon, in small amounts, and then kept out of later runs,
    which would otherwise walk through every client each time. What turns to garbage in there waits for a full run:
    they come when they are short (few clients), or when much has gathered.
    """

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._before = gc.get_threshold()
        self._seconds_per_object = SECONDS_PER_OBJECT
        self._full_at = time.monotonic()
        self._kept = 0

    def start(self) -> None:
        gc.set_threshold(YOUNG_OBJECTS, YOUNG_RUNS, 1_000_000_000)
        self.full()
        self._again()

    def close(self) -> None:
        """Leave the collector as it was; twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.set_threshold(*self._before)
            gc.unfreeze()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(OLD_SECONDS, self._look)

    def _look(self) -> None:
        self._again()
        if gc.get_count()[2]:  # a young run has handed something on
            gc.collect()
            gc.freeze()
        elif time.monotonic() - self._full_at > FULL_SECONDS and self.is_full_due(gc.get_freeze_count()):
            self.full()

    def is_full_due(self, kept: int) -> bool:
        """Whether a full run over `kept` objects is short, or needed whatever it takes."""
        if kept * self._seconds_per_object <= FULL_PAUSE_SECONDS:
            return True
        return kept > max(FULL_OBJECTS, 3 * self._kept)

    def full(self) -> None:
        """Look at everything, and keep what is left out of later runs."""
        gc.unfreeze()
        began = time.perf_counter()
        gc.collect()
        took = time.perf_counter() - began
        gc.freeze()
        self._kept, self._full_at = gc.get_freeze_count(), time.monotonic()
        self._seconds_per_object = took / max(1, self._kept)


class Pulse:
    """How late the loop runs due timers, and how long the collector stops everything: two numbers to watch."""

    def __init__(self, delay: Observed, longest_delay: Gauge, pause: Observed, longest_pause: Gauge) -> None:
        self._delay, self._longest_delay = delay, longest_delay
        self._pause, self._longest_pause = pause, longest_pause
        self._longest = self._longest_collection = 0.0
        self._pauses: list[float] = []  # a metric has a lock, which the collector may stop a holder of
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._began = 0.0

    def start(self) -> None:
        gc.callbacks.append(self._collected)
        self._again()

    def close(self) -> None:
        """Twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._collected)

    def _again(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + TICK_SECONDS
        self._timer = loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        late = max(0.0, asyncio.get_running_loop().time() - self._due)
        self._delay.observe(late)
        if late > self._longest:
            self._longest = late
            self._longest_delay.set(late)
        if self._pauses:
            self._publish()
        self._again()

    def _publish(self) -> None:
        pauses, self._pauses = self._pauses, []
        for took in pauses:
            self._pause.observe(took)
        if max(pauses) > self._longest_collection:
            self._longest_collection = max(pauses)
            self._longest_pause.set(self._longest_collection)

    def _collected(self, phase: str, info: Mapping[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
            return
        self._pauses.append(now - self._began)

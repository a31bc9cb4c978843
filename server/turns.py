"""The standard loop with short turns, and one place to do things when a turn ends.

Its selector hands it ready sockets in small portions, so that thousands of them are not one long turn. The loop asks
the selector whenever it has worked everything off, so that is also where a turn ends: what waits for it costs no turn
of its own, as `call_soon` would. And it is where turns are seen to be long, without a timer that would wake a process
which has nothing to do.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from typing import Any, TypeVarTuple

TURN_SECONDS = 0.01  # what one turn of the loop should take; after a longer one fewer sockets are served in the next
_Given = TypeVarTuple("_Given")
FEWEST_EVENTS, MOST_EVENTS = 8, 64  # sockets served in one turn; that many leaving at once take about its time
LOOK_SECONDS = 0.01  # lateness is told no more often; whoever wakes later than that after a turn is seen to be late

Look = Callable[[float], None]


class ShortTurns(selectors.BaseSelector):
    """Epoll that gives the loop as many ready sockets as it worked off in about `TURN_SECONDS` before.

    The rest stay ready, and the kernel hands them out in turn, so none is passed over.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._most = MOST_EVENTS
        self._handed = 0
        self._left = time.perf_counter()
        self._ends: list[Callable[[], bool]] = []
        self._is_put_off = False
        self._looks: list[Look] = []
        self._late = self._looked = 0.0
        self.report: Callable[[Exception], None] = _raise

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

    def at_end_of_turn(self, work: Callable[[], bool]) -> None:
        """Call `work` once, when nothing is left to do in this turn, or at the end of the next at the latest.

        It says whether it gave the loop anything to do: nobody looks again before the loop sleeps.
        """
        self._ends.append(work)

    def watch(self, look: Look) -> None:
        """Call `look`, at the end of turns, with the longest time for which something due had to wait since it was last
        called, in seconds: a turn, or how late the process woke up. A process that sleeps is not woken for it.
        """
        self._late, self._left = 0.0, time.perf_counter()  # what was before is nobody's
        self._looks.append(look)

    def unwatch(self, look: Look) -> None:
        """Twice is fine."""
        if look in self._looks:
            self._looks.remove(look)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Ready sockets, at most as many as a short turn works off; `timeout` in seconds."""
        if self._ends and self._end_turn(has_more=timeout is not None and timeout <= 0):
            timeout = 0
        now = time.perf_counter()
        if self._handed:
            self._adapt(now - self._left)
        if self._looks:
            now = self._seen(now)
        # Rounded up to the clock's step, or a timer would be waited for in a busy loop.
        wait = -1 if timeout is None else max(0.0, -(-timeout // 1e-3) * 1e-3)
        if wait and self._looks:
            ready = self._wait(now, wait)
        else:
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

    def _poll(self, wait: float) -> list[tuple[int, int]]:
        try:
            return self._epoll.poll(wait, self._most)
        except InterruptedError:
            return []

    def _wait(self, began: float, wait: float) -> list[tuple[int, int]]:
        """Sleep until something happens or `wait` is over, and note how late that was.

        Shortly after a turn something may be about to happen: then a short sleep is looked at by itself.
        """
        if 0 < wait <= LOOK_SECONDS:
            ready = self._poll(wait)
        else:
            ready = self._poll(LOOK_SECONDS)
            now = time.perf_counter()
            if ready or now - began > 2 * LOOK_SECONDS:
                wait = LOOK_SECONDS
            else:
                if wait > 0:
                    wait = max(0.0, wait - (now - began))
                ready, began = self._poll(wait), now
        if wait > 0 and (late := time.perf_counter() - began - wait) > self._late:
            self._late = late
        return ready

    def _seen(self, now: float) -> float:
        """The turn that ends now was so long; whoever watches is told once in a while. The time after that."""
        late = self._late
        if now - self._left > late:
            late = self._late = now - self._left
        if now - self._looked < LOOK_SECONDS:
            return now
        for look in tuple(self._looks):
            try:
                look(late)
            except Exception as error:
                self.report(error)
        self._looked, told_at = now, time.perf_counter()
        self._late = told_at - now  # what they took, somebody waited for, too
        return told_at

    def _end_turn(self, *, has_more: bool) -> bool:
        """Whether the loop has something to do; a turn that goes on in the next is not over."""
        if has_more and not self._is_put_off:
            self._is_put_off = True
            return True
        self._is_put_off = False
        ends, self._ends = self._ends, []
        for work in ends:
            try:
                has_more |= work()
            except Exception as error:
                has_more = True
                self.report(error)
        return has_more or bool(self._ends)

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


class ShortTurnedLoop(asyncio.SelectorEventLoop):
    """The standard loop on `ShortTurns`; whoever has something for the end of a turn says so to `at_end_of_turn`.

    What every callback, future and timer asks of it (the time, whether it debugs) is answered without a call in Python.
    """

    time = staticmethod(time.monotonic)  # what the standard loop's answers

    def __init__(self) -> None:
        turns = ShortTurns()
        super().__init__(turns)
        self.at_end_of_turn, self.watch, self.unwatch = turns.at_end_of_turn, turns.watch, turns.unwatch
        self.get_debug = partial(getattr, self, "_debug")  # type: ignore[method-assign]
        turns.report = self._report

    def call_soon(
        self, callback: Callable[[*_Given], object], *args: *_Given, context: Context | None = None
    ) -> asyncio.Handle:
        """As the standard loop does it, in one step."""
        loop: Any = self
        if loop._closed or loop._debug:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        loop._ready.append(handle)
        return handle

    def _report(self, error: Exception) -> None:
        self.call_exception_handler({"message": "Something at the end of a turn failed", "exception": error})


def _raise(error: Exception) -> None:
    raise error


def _fd_of(fileobj: Any) -> int:
    fd: int = fileobj if isinstance(fileobj, int) else fileobj.fileno()
    if fd < 0:
        raise ValueError(f"{fileobj!r} is closed")
    return fd


def _mask(events: int) -> int:
    return (events & selectors.EVENT_READ and select.EPOLLIN) | (events & selectors.EVENT_WRITE and select.EPOLLOUT)

"""Who is let in next: connects in order, at a bounded rate, and the others wait in a bounded line.

A connect costs a look at the token, queries and the first answers. Thousands that come at once must not take the loop
from those who are in: a few are begun in each moment, and a moment that comes late, because the loop has much to do, is
not made up for. Nobody in line is dropped; when the line is full, whoever comes next is asked to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from signaling.transport.connection import Connection
from signaling.transport.limits import TransportLimits
from signaling.transport.tasks import Tasks

CROWDED = "crowded"  # the code of whoever comes while the line is full
MOMENT_SECONDS = 0.01  # between two portions of those who wait

Admission = Callable[[], Coroutine[None, None, None]]


class Gate:
    """Admissions begin here, in the order of asking, and run as tasks of `tasks`."""

    def __init__(self, limits: TransportLimits, tasks: Tasks) -> None:
        self._limits, self._tasks = limits, tasks
        self._line: dict[Connection, Admission] = {}
        self._running = 0
        self._allowance = float(limits.connect_burst)  # how many may begin now
        self._counted_at = 0.0  # when the allowance was last counted
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._line)

    @property
    def is_full(self) -> bool:
        return len(self._line) >= self._limits.waiting_connects

    @property
    def wait_seconds(self) -> float:
        """After this long the line should have moved on."""
        return len(self._line) / self._limits.connects_per_second

    def ask(self, connection: Connection, admission: Admission) -> bool:
        """Begin the admission when its turn comes; False when the line is full."""
        if self.is_full:
            return False
        self._line[connection] = admission
        self._let_in()
        return True

    def leave(self, connection: Connection) -> bool:
        """Whoever is gone gives up the place in line; whether there was one."""
        return self._line.pop(connection, None) is not None

    def _let_in(self) -> None:
        if self._timer is None:
            self._count(None)
        while self._line and self._running < self._limits.connecting and self._allowance >= 1:
            connection = next(iter(self._line))
            admission = self._line.pop(connection)
            self._allowance -= 1
            self._running += 1
            self._tasks.spawn(self._run(admission))
        if self._line and self._timer is None and self._allowance < 1:
            self._timer = asyncio.get_running_loop().call_later(MOMENT_SECONDS, self._moment)

    async def _run(self, admission: Admission) -> None:
        try:
            await admission()
        finally:
            self._running -= 1
            self._let_in()

    def _moment(self) -> None:
        self._timer = None
        self._count(2 * MOMENT_SECONDS)
        self._let_in()

    def _count(self, most_seconds: float | None) -> None:
        """Add what came due since the last count; while others wait, at most that of `most_seconds`."""
        now = asyncio.get_running_loop().time()
        passed = now - self._counted_at
        self._counted_at = now
        if most_seconds is not None:
            passed = min(passed, most_seconds)
        self._allowance = min(self._limits.connect_burst, self._allowance + passed * self._limits.connects_per_second)

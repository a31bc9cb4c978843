"""One fake per port, for tests of a single part; tests of the whole use the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")


class HeardFacts:
    """A Publisher that remembers what it was told."""

    def __init__(self) -> None:
        self.all: list[object] = []

    def publish(self, facts: Sequence[object]) -> None:
        self.all.extend(facts)

    def of(self, kind: type[T]) -> list[T]:
        """The facts of one kind, oldest first."""
        return [fact for fact in self.all if isinstance(fact, kind)]


class SetClock:
    """A Clock that moves only when told to."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, **amount: float) -> None:
        """Move on by a timedelta's arguments, as in advance(minutes=5)."""
        self._now += timedelta(**amount)

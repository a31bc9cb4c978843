"""What the core needs from outside, as narrow protocols; app.py plugs the real parts in, tests may plug in fakes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from server.db.database import Work


class Clock(Protocol):
    """Tells the time; aware UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Publisher(Protocol):
    """Takes facts that have been committed and tells whoever listens. Never raises."""

    def publish(self, facts: Sequence[object]) -> None: ...


class SilentPublisher:
    """Tells nobody: for commands that run without a server."""

    def publish(self, facts: Sequence[object]) -> None:
        """Nobody is connected to hear them."""


class Rooms(Protocol):
    """Live rooms, as REST and jobs see them: a room command in the caller's transaction.

    `command` is one of server.live_sessions.commands. Returns what its acknowledgement adds (for a start:
    {"notified": int}). Raises a LecternError when refused; the caller's transaction is then rolled back by leaving it.
    """

    async def perform(self, work: Work, command: Any) -> Mapping[str, Any]: ...


class Presence(Protocol):
    """Who is connected, overlaid on the roster."""

    async def online(self, user_ids: Collection[int]) -> set[int]: ...

    async def in_rooms(self, user_ids: Collection[int]) -> dict[int, int]:
        """The live session each user is in now, by user id."""
        ...

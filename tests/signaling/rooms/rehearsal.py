"""A room without a database: commands are judged and their events follow at once, as timeline.py would number them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from signaling.rooms.evolve import evolve
from signaling.rooms.room import Enter, New, Private, decide
from signaling.rooms.state import Room, TimelineEvent

ANA, BO, CLEO = 1, 2, 3
BEGAN = datetime(2026, 11, 23, 16, tzinfo=UTC)


class Rehearsal:
    """Ana teaches; Bo and Cleo are in the room."""

    def __init__(self) -> None:
        self.room = Room(live_session_id=7, host_id=ANA, host_name="Ana", status="live")
        self.events: list[TimelineEvent] = []
        for user_id, name in ((ANA, "Ana"), (BO, "Bo"), (CLEO, "Cleo")):
            self.act(Enter(user_id, name, None, "instructor" if user_id == ANA else "student", f"tab {user_id}"))

    def act(self, command: object) -> list[New | Private]:
        """Judge, and apply what it leads to. Raises the refusal."""
        decided = list(decide(self.room, command))
        actor = getattr(command, "user_id", None)
        for new in decided:
            if isinstance(new, New):
                self._apply(new, None if new.is_anonymous else actor)
        return decided

    def told(self, command: object) -> list[tuple[str, dict[str, object]]]:
        """The same, as (type, payload) of its events."""
        return [(new.type, dict(new.payload)) for new in self.act(command) if isinstance(new, New)]

    def _apply(self, new: New, actor: int | None) -> None:
        seq = self.room.seq + 1
        event = TimelineEvent(seq, BEGAN + timedelta(seconds=seq), new.type, actor, None, new.payload)
        self.room = evolve(self.room, event)
        self.events.append(event)

    def end(self) -> None:
        self.room = replace(self.room, status="ended")

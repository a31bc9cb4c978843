"""What a live room is, and how each event of its timeline changes it.

Pure: nothing awaits, no clock, no socket. The browser's store (static/js/store/room.js) is the twin of this file, and
`snapshot + later events == fresh snapshot` is tested on both with the same recorded timelines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from server.wire import rfc3339

CHAT_WINDOW = 100  # lines in a snapshot; older ones are read from the timeline
SNAPSHOT_BYTES = 256 * 1024  # a snapshot over this gives up its oldest lines
DEFAULT_POLICY: Mapping[str, str] = MappingProxyType(
    {
        "chat": "all",
        "microphones": "instructor",
        "cameras": "instructor",
        "screens": "instructor",
        "hands": "all",
        "peers": "instructor",
    }
)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One numbered line of the log; `at` is UTC."""

    seq: int
    at: datetime
    type: str
    actor_id: int | None
    client_id: str | None
    payload: Mapping[str, Any]

    def wire(self) -> dict[str, Any]:
        shown = {"seq": self.seq, "at": rfc3339(self.at), "type": self.type, "actor_id": self.actor_id}
        if self.client_id is not None:
            shown["client_id"] = self.client_id
        return {**shown, "payload": dict(self.payload)}


@dataclass(frozen=True, slots=True)
class Participant:
    user_id: int
    name: str | None
    avatar_url: str | None
    role: str
    in_room: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One chat line as snapshots show it."""

    seq: int
    at: datetime
    actor_id: int | None
    client_id: str | None
    text: str
    reply_to: int | None

    def wire(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": rfc3339(self.at),
            "actor_id": self.actor_id,
            "client_id": self.client_id,
            "text": self.text,
            "reply_to": self.reply_to,
            "edited_at": None,
            "deleted": False,
            "reactions": {},
        }


@dataclass(frozen=True, slots=True)
class Room:
    """A live session while people may be in it; `seq` is the last event in it."""

    live_session_id: int
    host_id: int
    host_name: str
    status: str
    max_participants: int | None = None
    seq: int = 0
    participants: Mapping[int, Participant] = field(default_factory=dict)
    hands: tuple[int, ...] = ()
    floor: tuple[int, ...] = ()
    tracks: tuple[tuple[int, str], ...] = ()
    lines: tuple[Line, ...] = ()
    earlier: bool = False

    def is_in(self, user_id: int) -> bool:
        found = self.participants.get(user_id)
        return found is not None and found.in_room

    @property
    def present(self) -> list[Participant]:
        return [p for p in self.participants.values() if p.in_room]

    def may_publish(self, user_id: int, source: str) -> bool:
        """The instructor always; others while they have the floor, and then microphone and camera."""
        if not self.is_in(user_id):
            return False
        return user_id == self.host_id or (user_id in self.floor and source in ("microphone", "camera"))


def snapshot(room: Room) -> dict[str, Any]:
    """The room as a joining client gets it (contract, Snapshot), at most SNAPSHOT_BYTES as JSON."""
    shown: dict[str, Any] = {
        "status": room.status,
        "host": {"id": room.host_id, "name": room.host_name},
        "participants": [
            {
                "user_id": p.user_id,
                "name": p.name,
                "avatar_url": p.avatar_url,
                "role": p.role,
                "in_room": p.in_room,
            }
            for p in room.participants.values()
        ],
        "hands": list(room.hands),
        "floor": list(room.floor),
        "muted": [],
        "policy": dict(DEFAULT_POLICY),
        "polls": [],
        "questions": [],
        "tracks": [{"user_id": user_id, "source": source} for user_id, source in room.tracks],
        "chat": {"lines": [line.wire() for line in room.lines], "earlier": room.earlier},
    }
    while shown["chat"]["lines"] and _size(shown) > SNAPSHOT_BYTES:
        kept = len(shown["chat"]["lines"]) * 3 // 4
        shown["chat"] = {"lines": shown["chat"]["lines"][-kept:] if kept else [], "earlier": True}
    return shown


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")))


Evolve = Callable[[Room, TimelineEvent], Room]
EVOLVES: dict[str, Evolve] = {}


def evolves(type: str) -> Callable[[Evolve], Evolve]:
    """Declare how one event type changes a room."""

    def declare(change: Evolve) -> Evolve:
        EVOLVES[type] = change
        return change

    return declare


def evolve(room: Room, event: TimelineEvent) -> Room:
    """The room after `event`."""
    return replace(EVOLVES[event.type](room, event), seq=event.seq)


@evolves("session_started")
def session_started(room: Room, event: TimelineEvent) -> Room:
    return replace(room, status="live")


@evolves("session_ended")
def session_ended(room: Room, event: TimelineEvent) -> Room:
    return replace(room, status="ended", hands=(), floor=(), tracks=())


@evolves("participant_joined")
def participant_joined(room: Room, event: TimelineEvent) -> Room:
    p = event.payload
    joined = Participant(p["user_id"], p.get("name"), p.get("avatar_url"), p["role"], in_room=True)
    return replace(room, participants={**room.participants, joined.user_id: joined})


@evolves("participant_left")
def participant_left(room: Room, event: TimelineEvent) -> Room:
    """Out of the room: no place in the queue, on the floor or on the stage; the name stays."""
    user_id = event.payload["user_id"]
    participants = dict(room.participants)
    if user_id in participants:
        participants[user_id] = replace(participants[user_id], in_room=False)
    return replace(
        room,
        participants=participants,
        hands=_without(room.hands, user_id),
        floor=_without(room.floor, user_id),
        tracks=tuple(track for track in room.tracks if track[0] != user_id),
    )


@evolves("chat_posted")
def chat_posted(room: Room, event: TimelineEvent) -> Room:
    p = event.payload
    line = Line(event.seq, event.at, event.actor_id, event.client_id, p["text"], p.get("reply_to"))
    lines = (*room.lines, line)
    return replace(room, lines=lines[-CHAT_WINDOW:], earlier=room.earlier or len(lines) > CHAT_WINDOW)


@evolves("hand_raised")
def hand_raised(room: Room, event: TimelineEvent) -> Room:
    return replace(room, hands=_with(room.hands, event.payload["user_id"]))


@evolves("hand_lowered")
def hand_lowered(room: Room, event: TimelineEvent) -> Room:
    return replace(room, hands=_without(room.hands, event.payload["user_id"]))


@evolves("floor_given")
def floor_given(room: Room, event: TimelineEvent) -> Room:
    """The floor answers the raised hand, which goes down with it."""
    user_id = event.payload["user_id"]
    return replace(room, hands=_without(room.hands, user_id), floor=_with(room.floor, user_id))


@evolves("floor_taken")
def floor_taken(room: Room, event: TimelineEvent) -> Room:
    return replace(room, floor=_without(room.floor, event.payload["user_id"]))


@evolves("track_published")
def track_published(room: Room, event: TimelineEvent) -> Room:
    track = (event.payload["user_id"], event.payload["source"])
    return replace(room, tracks=(*(t for t in room.tracks if t != track), track))


@evolves("track_unpublished")
def track_unpublished(room: Room, event: TimelineEvent) -> Room:
    track = (event.payload["user_id"], event.payload["source"])
    return replace(room, tracks=tuple(t for t in room.tracks if t != track))


def _with(users: tuple[int, ...], user_id: int) -> tuple[int, ...]:
    return users if user_id in users else (*users, user_id)


def _without(users: tuple[int, ...], user_id: int) -> tuple[int, ...]:
    return tuple(u for u in users if u != user_id)

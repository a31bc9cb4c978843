"""What a live room is, and how a joining client is shown it; evolve.py says how events change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from server.wire import rfc3339
from signaling.rooms.fitting import fit

CHAT_WINDOW = 100  # lines in a snapshot; older ones are read from the timeline
POLLS_KEPT, QUESTIONS_KEPT = 50, 100  # closed and resolved ones go first; the timeline has them all
SOURCES = ("microphone", "camera", "screen", "screen_audio")
OPENED_BY: Mapping[str, str] = MappingProxyType(  # the part of the policy that opens a source to everybody
    {"microphone": "microphones", "camera": "cameras", "screen": "screens", "screen_audio": "screens"}
)
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
    text: str | None
    reply_to: int | None
    edited_at: datetime | None = None
    deleted: bool = False
    reactions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def wire(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": rfc3339(self.at),
            "actor_id": self.actor_id,
            "client_id": self.client_id,
            "text": self.text,
            "reply_to": self.reply_to,
            "edited_at": rfc3339(self.edited_at) if self.edited_at else None,
            "deleted": self.deleted,
            "reactions": {emoji: list(people) for emoji, people in self.reactions.items()},
        }


@dataclass(frozen=True, slots=True)
class Poll:
    """`poll` is the seq of its opening; `tally` is known once it is closed."""

    poll: int
    question: str
    options: tuple[str, ...]
    multiple: bool
    hidden: bool
    open: bool = True
    tally: tuple[int, ...] | None = None

    def wire(self) -> dict[str, Any]:
        return {
            "poll": self.poll,
            "question": self.question,
            "options": list(self.options),
            "multiple": self.multiple,
            "hidden": self.hidden,
            "open": self.open,
            "tally": list(self.tally) if self.tally is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """`question` is the seq of its asking."""

    question: int
    actor_id: int | None
    at: datetime
    text: str
    votes: int = 0
    resolved: bool = False

    def wire(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "actor_id": self.actor_id,
            "at": rfc3339(self.at),
            "text": self.text,
            "votes": self.votes,
            "resolved": self.resolved,
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
    muted: tuple[tuple[int, tuple[str, ...]], ...] = ()
    removed: tuple[int, ...] = ()  # for the rest of this session; in no snapshot, because it concerns the door alone
    policy: Mapping[str, str] = field(default_factory=lambda: DEFAULT_POLICY)
    polls: tuple[Poll, ...] = ()
    questions: tuple[Question, ...] = ()
    tracks: tuple[tuple[int, str], ...] = ()
    lines: tuple[Line, ...] = ()
    earlier: bool = False

    def is_in(self, user_id: int) -> bool:
        found = self.participants.get(user_id)
        return found is not None and found.in_room

    @property
    def present(self) -> list[Participant]:
        return [p for p in self.participants.values() if p.in_room]

    def muted_sources(self, user_id: int) -> tuple[str, ...]:
        """What the instructor has closed of this person, in the order of SOURCES."""
        return next((sources for muted, sources in self.muted if muted == user_id), ())

    def is_open_to(self, user_id: int, source: str) -> bool:
        """By the floor and the policy: the instructor always; others as the policy says, or with the floor."""
        if user_id == self.host_id or self.policy[OPENED_BY[source]] == "all":
            return True
        return user_id in self.floor and source in ("microphone", "camera")

    def may_publish(self, user_id: int, source: str) -> bool:
        """Whether packets of this source may flow now: present, open to them, and not muted."""
        if not self.is_in(user_id) or not self.is_open_to(user_id, source):
            return False
        return source not in self.muted_sources(user_id)

    def senders(self) -> dict[int, frozenset[str]]:
        """Everybody whose packets may flow now, with their sources."""
        is_open = any(self.policy[part] == "all" for part in OPENED_BY.values())
        users = self.participants if is_open else (self.host_id, *self.floor)
        may = {user: frozenset(source for source in SOURCES if self.may_publish(user, source)) for user in users}
        return {user: sources for user, sources in may.items() if sources}


def person(one: Participant) -> dict[str, Any]:
    """A participant in a snapshot."""
    return {
        "user_id": one.user_id,
        "name": one.name,
        "avatar_url": one.avatar_url,
        "role": one.role,
        "in_room": one.in_room,
    }


def snapshot(room: Room) -> dict[str, Any]:
    """The room as a joining client gets it (contract, Snapshot), as much of it as fits."""
    shown: dict[str, Any] = {
        "status": room.status,
        "host": {"id": room.host_id, "name": room.host_name},
        "participants": [person(participant) for participant in room.participants.values()],
        "hands": list(room.hands),
        "floor": list(room.floor),
        "muted": [{"user_id": user_id, "sources": list(sources)} for user_id, sources in room.muted],
        "policy": dict(room.policy),
        "polls": [poll.wire() for poll in room.polls],
        "questions": [question.wire() for question in room.questions],
        "tracks": [{"user_id": user_id, "source": source} for user_id, source in room.tracks],
        "chat": {"lines": [line.wire() for line in room.lines], "earlier": room.earlier},
    }
    return fit(shown)

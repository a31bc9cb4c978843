"""How each event of the timeline changes a room.

Pure: nothing awaits, no clock, no socket. The browser's store (static/js/store/room.js) is the twin of this file, and
`snapshot + later events == fresh snapshot` is tested on both with the same recorded timelines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

from signaling.rooms.state import (
    CHAT_WINDOW,
    POLLS_KEPT,
    QUESTIONS_KEPT,
    SOURCES,
    Line,
    Participant,
    Poll,
    Question,
    Room,
    TimelineEvent,
)

One = TypeVar("One")
Evolve = Callable[[Room, TimelineEvent], Room]
EVOLVES: dict[str, Evolve] = {}


def evolves(type: str) -> Callable[[Evolve], Evolve]:
    """Declare how one event type changes a room."""

    def declare(change: Evolve) -> Evolve:
        EVOLVES[type] = change
        return change

    return declare


def evolve(room: Room, event: TimelineEvent) -> Room:
    """The room after `event`; one of a type unknown here only moves the position on, so a newer server does no harm."""
    change = EVOLVES.get(event.type)
    return replace(change(room, event) if change else room, seq=event.seq)


def evolve_all(room: Room, events: Sequence[TimelineEvent]) -> Room:
    """The room after all of these, in order; whoever joins in a row comes in together, not each with a copy of all."""
    for is_joining, run in groupby(events, key=_is_joining):
        if is_joining:
            participants, last = dict(room.participants), room.seq
            for event in run:
                one = _joined(participants, event)
                participants[one.user_id], last = one, event.seq
            room = replace(room, participants=participants, seq=last)
        else:
            for event in run:
                room = evolve(room, event)
    return room


def _is_joining(event: TimelineEvent) -> bool:
    return event.type == "participant_joined"


@evolves("session_started")
def session_started(room: Room, event: TimelineEvent) -> Room:
    return replace(room, status="live")


@evolves("session_ended")
def session_ended(room: Room, event: TimelineEvent) -> Room:
    return replace(room, status="ended", hands=(), floor=(), tracks=())


@evolves("participant_joined")
def participant_joined(room: Room, event: TimelineEvent) -> Room:
    joined = _joined(room.participants, event)
    return replace(room, participants={**room.participants, joined.user_id: joined})


def _joined(participants: Mapping[int, Participant], event: TimelineEvent) -> Participant:
    p = event.payload
    known = participants.get(p["user_id"])
    name, avatar_url = p.get("name"), p.get("avatar_url")
    if known is not None:
        name, avatar_url = name or known.name, avatar_url or known.avatar_url
    return Participant(p["user_id"], name, avatar_url, p["role"], in_room=True)


@evolves("participant_removed")
def participant_removed(room: Room, event: TimelineEvent) -> Room:
    return participant_left(replace(room, removed=_with(room.removed, event.payload["user_id"])), event)


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
    deleted = p.get("deleted") is True
    text, reply_to = (None, None) if deleted else (p["text"], p.get("reply_to"))
    line = Line(event.seq, event.at, event.actor_id, event.client_id, text, reply_to, deleted=deleted)
    lines = (*room.lines, line)
    return replace(room, lines=lines[-CHAT_WINDOW:], earlier=room.earlier or len(lines) > CHAT_WINDOW)


def _line_changed(room: Room, seq: int, change: Callable[[Line], Line]) -> Room:
    """A line that has left the window, or was deleted, changes nothing here."""
    lines = tuple(change(line) if line.seq == seq and not line.deleted else line for line in room.lines)
    return replace(room, lines=lines)


@evolves("chat_edited")
def chat_edited(room: Room, event: TimelineEvent) -> Room:
    """An older edit whose text was blanked by a later deletion says nothing any more."""
    if event.payload.get("deleted") is True:
        return room
    text = event.payload["text"]
    return _line_changed(room, event.payload["seq"], lambda line: replace(line, text=text, edited_at=event.at))


@evolves("chat_deleted")
def chat_deleted(room: Room, event: TimelineEvent) -> Room:
    def blank(line: Line) -> Line:
        return replace(line, text=None, reply_to=None, edited_at=None, deleted=True, reactions={})

    return _line_changed(room, event.payload["seq"], blank)


@evolves("chat_reacted")
def chat_reacted(room: Room, event: TimelineEvent) -> Room:
    emoji, on, who = event.payload["emoji"], event.payload["on"], event.actor_id

    def react(line: Line) -> Line:
        people = _without(line.reactions.get(emoji, ()), who) if who is not None else line.reactions.get(emoji, ())
        if on and who is not None:
            people = (*people, who)
        if people:
            return replace(line, reactions={**line.reactions, emoji: people})
        return replace(line, reactions={e: p for e, p in line.reactions.items() if e != emoji})

    return _line_changed(room, event.payload["seq"], react)


@evolves("participant_muted")
def participant_muted(room: Room, event: TimelineEvent) -> Room:
    user_id, sources, on = event.payload["user_id"], event.payload["sources"], event.payload["muted"]
    before = dict(room.muted).get(user_id, ())
    after = tuple(s for s in SOURCES if (on if s in sources else s in before))
    others = tuple(one for one in room.muted if one[0] != user_id)
    return replace(room, muted=(*others, (user_id, after)) if after else others)


@evolves("policy_changed")
def policy_changed(room: Room, event: TimelineEvent) -> Room:
    return replace(room, policy=dict(event.payload))


@evolves("poll_opened")
def poll_opened(room: Room, event: TimelineEvent) -> Room:
    p = event.payload
    poll = Poll(event.seq, p["question"], tuple(p["options"]), p["multiple"], p["hidden"])
    polls = (*room.polls, poll)
    return replace(room, polls=_window(polls, POLLS_KEPT, [p for p in polls if not p.open]))


@evolves("poll_closed")
def poll_closed(room: Room, event: TimelineEvent) -> Room:
    closed, tally = event.payload["poll"], event.payload.get("tally")
    kept = tuple(tally) if tally is not None else None
    polls = tuple(replace(p, open=False, tally=kept) if p.poll == closed else p for p in room.polls)
    return replace(room, polls=polls)


@evolves("question_asked")
def question_asked(room: Room, event: TimelineEvent) -> Room:
    asked = Question(event.seq, event.actor_id, event.at, event.payload["text"])
    questions = (*room.questions, asked)
    return replace(room, questions=_window(questions, QUESTIONS_KEPT, [q for q in questions if q.resolved]))


@evolves("question_voted")
def question_voted(room: Room, event: TimelineEvent) -> Room:
    voted, votes = event.payload["question"], event.payload["votes"]
    questions = tuple(replace(q, votes=votes) if q.question == voted else q for q in room.questions)
    return replace(room, questions=questions)


@evolves("question_resolved")
def question_resolved(room: Room, event: TimelineEvent) -> Room:
    resolved = event.payload["question"]
    questions = tuple(replace(q, resolved=True) if q.question == resolved else q for q in room.questions)
    return replace(room, questions=questions)


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


def _window(all: tuple[One, ...], kept: int, over: Sequence[One]) -> tuple[One, ...]:
    """At most `kept`; of those that are over (closed, resolved) the oldest go first, then the oldest of all."""
    surplus = len(all) - kept
    if surplus <= 0:
        return all
    gone = [*over, *(one for one in all if one not in over)][:surplus]
    return tuple(one for one in all if one not in gone)


def _with(users: tuple[int, ...], user_id: int) -> tuple[int, ...]:
    return users if user_id in users else (*users, user_id)


def _without(users: tuple[int, ...], user_id: int) -> tuple[int, ...]:
    return tuple(u for u in users if u != user_id)

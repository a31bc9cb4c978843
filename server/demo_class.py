"""The demo's class of last week: a script of who came, said and asked what, played through the real rules of a room.

The timeline, the attendance and the session's row are written as they would have been, only with last week's times.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from server.accounts.tables import User
from server.courses.tables import Course
from server.db.database import Work
from server.live_sessions.commands import EndLiveSession, StartLiveSession
from server.live_sessions.tables import LiveSession, LiveSessionEvent, Participation
from signaling.rooms.evolve import evolve
from signaling.rooms.room import Enter, GiveFloor, Leave, New, PostChat, RaiseHand, TakeFloor, decide
from signaling.rooms.state import Room, TimelineEvent

DAYS_AGO = 5
MINUTES = 42

# Minute, who, and what they did; ana is 0, bo 1, cleo 2.
SCRIPT: Sequence[tuple[float, int, str, str]] = (
    (0, 0, "start", ""),
    (0, 0, "enter", ""),
    (0.6, 1, "enter", ""),
    (1.2, 0, "say", "Welcome! We start in a minute; say hello so that I know you can hear me."),
    (1.5, 1, "say", "Hello, loud and clear."),
    (3.4, 2, "enter", ""),
    (3.8, 2, "say", "Sorry I am late. Hello everybody!"),
    (9.3, 1, "say", "So the water does not travel with the wave?"),
    (9.9, 0, "say", "Exactly. Watch a cork: up and down, and it stays where it is."),
    (14.0, 1, "leave", ""),
    (15.5, 1, "enter", ""),
    (15.7, 1, "say", "I am back, my connection dropped."),
    (21.2, 2, "raise", ""),
    (21.6, 0, "give", "2"),
    (25.4, 0, "take", "2"),
    (26.0, 0, "say", "Good question, Cleo: loudness is the height of the wave, pitch is how often it comes."),
    (33.7, 2, "say", "Then an octave is simply twice as often?"),
    (34.1, 0, "say", "Yes. The recording \u201cHearing intervals\u201d lets you check it by ear."),
    (40.5, 0, "say", "Next time: strings. Bring something that can be plucked."),
    (41.0, 2, "say", "Thank you, see you then!"),
    (MINUTES, 0, "end", ""),
)


async def add_past_class(work: Work, course: Course, people: Sequence[User]) -> LiveSession:
    """Write the ended class of `course` with its timeline and attendance; people are instructor, student, student."""
    begun = (work.now - timedelta(days=DAYS_AGO)).replace(hour=15, minute=0, second=0, microsecond=0)
    row = LiveSession(
        course_id=course.id,
        host_id=people[0].id,
        title="What a wave is",
        description="The first class: corks, ropes and the difference between a wave and what it moves.",
        status="ended",
        scheduled_at=begun,
        duration_minutes=45,
        started_at=begun,
        ended_at=begun + timedelta(minutes=MINUTES),
        end_reason="ended",
        epoch=secrets.token_hex(8),
        last_seq=0,
        created_at=begun - timedelta(days=3),
        updated_at=begun + timedelta(minutes=MINUTES),
    )
    work.add(row)
    await work.flush()
    events = _played(row.id, people, begun)
    row.last_seq = events[-1].seq
    for event in events:
        work.add(
            LiveSessionEvent(
                live_session_id=row.id,
                seq=event.seq,
                at=event.at,
                type=event.type,
                actor_id=event.actor_id,
                client_id=event.client_id,
                payload=dict(event.payload),
            )
        )
    for stay in _stays(row.id, events):
        work.add(stay)
    return row


def _played(live_session_id: int, people: Sequence[User], begun: datetime) -> list[TimelineEvent]:
    room = Room(live_session_id, people[0].id, people[0].name, "scheduled")
    events: list[TimelineEvent] = []
    for minute, who, act, words in SCRIPT:
        person = people[who]
        for new in decide(room, _command(live_session_id, people, person, act, words)):
            if not isinstance(new, New):
                continue  # what is kept beside the timeline; nothing in this script is
            at = begun + timedelta(minutes=minute)
            event = TimelineEvent(room.seq + 1, at, new.type, person.id, None, new.payload)
            events.append(event)
            room = evolve(room, event)
    return events


def _command(live_session_id: int, people: Sequence[User], person: User, act: str, words: str) -> object:
    match act:
        case "start":
            return StartLiveSession(live_session_id, person.id)
        case "end":
            return EndLiveSession(live_session_id, person.id)
        case "enter":
            role = "instructor" if person is people[0] else "student"
            return Enter(person.id, person.name, person.avatar_url, role, "")
        case "leave":
            return Leave(person.id)
        case "raise":
            return RaiseHand(person.id)
        case "give":
            return GiveFloor(person.id, people[int(words)].id)
        case "take":
            return TakeFloor(person.id, people[int(words)].id)
        case _:
            return PostChat(person.id, words)


def _stays(live_session_id: int, events: Sequence[TimelineEvent]) -> list[Participation]:
    """The attendance that follows from the timeline."""
    stays: list[Participation] = []
    inside: dict[int, Participation] = {}
    for event in events:
        if event.type == "participant_joined":
            stay = Participation(
                live_session_id=live_session_id,
                user_id=event.payload["user_id"],
                role=event.payload["role"],
                joined_at=event.at,
            )
            stays.append(stay)
            inside[event.payload["user_id"]] = stay
        elif event.type == "participant_left":
            left = inside.pop(event.payload["user_id"])
            left.left_at = left.last_seen_at = event.at
    return stays

"""A small cast of named people and the things they have, put straight into a database.

ana teaches and dan teaches elsewhere; bo and cleo study; eve is a stranger. Nobody types a password: each person has a
sign-in and a token, so that a test costs milliseconds and not hashes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from server.accounts.tables import SignIn, User
from server.accounts.tokens import Tokens
from server.content.tables import Content
from server.courses.tables import Course, Enrollment
from server.db.database import Database
from server.live_sessions.tables import LiveSession, LiveSessionEvent

TALK_BATCH = 1_000
NO_PASSWORD = "!"  # no password has this hash
CAST = {
    "ana": ("Ana Castro", "expert"),
    "bo": ("Bo Lindqvist", "student"),
    "cleo": ("Cleo Marchetti", "student"),
    "dan": ("Dan Okafor", "expert"),
    "eve": ("Eve Novak", "student"),
    "root": ("Rut Admin", "admin"),
}


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    email: str
    name: str
    role: str
    sign_in_id: int


class World:
    """What a test's people have; every method writes rows and returns them."""

    def __init__(self, database: Database, secret: str, people: dict[str, Person]) -> None:
        self.database, self.people = database, people
        self.tokens = Tokens(secret, access_seconds=600)

    @classmethod
    async def with_cast(cls, database: Database, secret: str) -> World:
        """The whole cast, signed in once each."""
        async with database.work("cast") as work:
            users = {
                short: User(
                    email=f"{short}@example.org",
                    name=name,
                    role=role,
                    password_hash=NO_PASSWORD,
                    created_at=work.now,
                    updated_at=work.now,
                )
                for short, (name, role) in CAST.items()
            }
            work.session.add_all(users.values())
            await work.flush()
            sign_ins = {short: _sign_in(user.id, work.now) for short, user in users.items()}
            work.session.add_all(sign_ins.values())
            await work.flush()
            people = {
                short: Person(user.id, user.email, user.name, user.role, sign_ins[short].id)
                for short, user in users.items()
            }
        return cls(database, secret, people)

    def id_of(self, person: str) -> int:
        return self.people[person].id

    def token(self, person: str) -> str:
        """A fresh access token."""
        who = self.people[person]
        return self.tokens.access(who.id, who.sign_in_id, self.database.clock.now())

    async def person(self, short: str, *, name: str | None = None, role: str = "student") -> Person:
        """Somebody beside the cast, who then answers to `short`."""
        async with self.database.work("person") as work:
            user = User(
                email=f"{short}@example.org",
                name=name or short.title(),
                role=role,
                password_hash=NO_PASSWORD,
                created_at=work.now,
                updated_at=work.now,
            )
            work.add(user)
            await work.flush()
            sign_in = _sign_in(user.id, work.now)
            work.add(sign_in)
            await work.flush()
        made = self.people[short] = Person(user.id, user.email, user.name, role, sign_in.id)
        return made

    async def course(
        self,
        instructor: str = "ana",
        students: Sequence[str] = (),
        *,
        title: str = "Waves and sound",
        status: str = "published",
        tier: str = "standard",
        **columns: Any,
    ) -> Course:
        """A course with these active students."""
        async with self.database.work("course") as work:
            course = Course(
                instructor_id=self.id_of(instructor),
                title=title,
                status=status,
                last_activity_at=work.now,
                created_at=work.now,
                updated_at=work.now,
                **columns,
            )
            work.add(course)
            await work.flush()
            for student in students:
                work.add(_enrollment(course.id, self.id_of(student), tier, "active", work.now))
        return course

    async def enroll(
        self, course: Course, student: str, *, tier: str = "standard", status: str = "active"
    ) -> Enrollment:
        """One more enrollment."""
        async with self.database.work("enroll") as work:
            row = _enrollment(course.id, self.id_of(student), tier, status, work.now)
            work.add(row)
        return row

    async def live_session(
        self,
        instructor: str = "ana",
        students: Sequence[str] = (),
        *,
        course: Course | None = None,
        status: str = "live",
        title: str = "Standing waves",
        **columns: Any,
    ) -> LiveSession:
        """A session of `course`, or of a new one with these students; a live or ended one has its timeline too."""
        course = course or await self.course(instructor, students)
        async with self.database.work("live session") as work:
            started = status in ("live", "ended")
            row = LiveSession(
                course_id=course.id,
                host_id=self.id_of(instructor),
                title=title,
                status=status,
                started_at=work.now if started else None,
                ended_at=work.now if status == "ended" else None,
                end_reason="ended" if status == "ended" else None,
                epoch=secrets.token_hex(8),
                last_seq={"live": 1, "ended": 2}.get(status, 0),
                empty_since=work.now if status == "live" else None,
                created_at=work.now,
                updated_at=work.now,
                **columns,
            )
            work.add(row)
            await work.flush()
            if started:
                work.add(_event(row, 1, "session_started", {}, work.now))
            if status == "ended":
                work.add(_event(row, 2, "session_ended", {"reason": "ended"}, work.now))
        return row

    async def talk(self, row: LiveSession, people: Sequence[str], count: int, *, more: str = "") -> None:
        """`count` chat lines more in the timeline of `row`, by these people in turn; written in bounded batches.

        Each ends with `more`.
        """
        for start in range(0, count, TALK_BATCH):
            async with self.database.work("talk") as work:
                live_session = await work.get(LiveSession, row.id, for_update=True)
                assert live_session is not None
                first = live_session.last_seq + 1
                live_session.last_seq = row.last_seq = live_session.last_seq + min(TALK_BATCH, count - start)
                lines = [
                    {
                        "live_session_id": row.id,
                        "seq": seq,
                        "at": work.now,
                        "type": "chat_posted",
                        "actor_id": self.id_of(people[seq % len(people)]),
                        "payload": {"text": f"This is line {seq} of a long class.{more}", "reply_to": None},
                    }
                    for seq in range(first, row.last_seq + 1)
                ]
                await work.execute(insert(LiveSessionEvent), lines)

    async def crowd(self, row: LiveSession, user_ids: Sequence[int]) -> None:
        """These came into `row`, as its timeline tells it; nobody needs to have an account."""
        for start in range(0, len(user_ids), TALK_BATCH):
            async with self.database.work("crowd") as work:
                live_session = await work.get(LiveSession, row.id, for_update=True)
                assert live_session is not None
                some = user_ids[start : start + TALK_BATCH]
                rows = [
                    {
                        "live_session_id": row.id,
                        "seq": seq,
                        "at": work.now,
                        "type": "participant_joined",
                        "actor_id": None,
                        "payload": {"user_id": user_id, "role": "student", "name": f"Student {user_id}"},
                    }
                    for seq, user_id in enumerate(some, live_session.last_seq + 1)
                ]
                live_session.last_seq = row.last_seq = live_session.last_seq + len(some)
                await work.execute(insert(LiveSessionEvent), rows)

    async def content(
        self, course: Course, *, title: str = "A wave travels", upload_status: str = "completed", **columns: Any
    ) -> Content:
        """A lesson's row; a completed one claims a file that the test provides when it matters."""
        async with self.database.work("content") as work:
            given = {
                "content_type": "video",
                "file_name": "wave.mp4",
                "file_size": 1000,
                "mime_type": "video/mp4",
                "duration_seconds": 60.0 if upload_status == "completed" else None,
                "created_by": course.instructor_id,
                **columns,
            }
            row = Content(
                course_id=course.id,
                title=title,
                upload_status=upload_status,
                created_at=work.now,
                updated_at=work.now,
                **given,
            )
            work.add(row)
        return row


def _sign_in(user_id: int, now: datetime) -> SignIn:
    return SignIn(user_id=user_id, generation=0, rotated_at=now, created_at=now, expires_at=now + timedelta(days=14))


def _enrollment(course_id: int, user_id: int, tier: str, status: str, now: datetime) -> Enrollment:
    return Enrollment(
        course_id=course_id,
        user_id=user_id,
        tier=tier,
        status=status,
        enrolled_at=now,
        ended_at=None if status == "active" else now,
    )


def _event(row: LiveSession, seq: int, type: str, payload: dict[str, Any], now: datetime) -> LiveSessionEvent:
    return LiveSessionEvent(
        live_session_id=row.id, seq=seq, at=now, type=type, actor_id=row.host_id, client_id=None, payload=payload
    )

"""The people, courses, classes and tokens of a load, put straight into a database that has nobody in it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select

from server.accounts.tables import SignIn, User
from server.accounts.tokens import Tokens
from server.courses.tables import Course, Enrollment
from server.db.database import Database
from server.db.schema import Base
from server.live_sessions.tables import LiveSession

NO_PASSWORD = "!"  # noqa: S105  no password has this hash: nobody signs in as these people
TOKEN_SECONDS = 86_400  # longer than any run
NAME = "Load test"


class NotEmpty(SystemExit):
    """The database that was given has people in it; the text is one line."""


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    token: str


@dataclass(frozen=True, slots=True)
class World:
    """`host` teaches all classes; `members[i]` are enrolled in the course of class `live_session_ids[i]`."""

    host: Person
    live_session_ids: Sequence[int]
    members: Sequence[Sequence[Person]]


async def make(database: Database, secret: str, sizes: Sequence[int]) -> World:
    """A class for each of `sizes`, scheduled, with so many students. Raises NotEmpty."""
    tokens = Tokens(secret, TOKEN_SECONDS)
    async with database.work("load-test people") as work:
        if await work.scalar(select(User.id).limit(1)) is not None:
            raise NotEmpty("There are people in that database; a load test wants an empty one of its own.")
        times = {"created_at": work.now, "updated_at": work.now}
        users = [
            {"email": f"load{n}@example.org", "name": f"{NAME} {n}", "role": "student" if n else "expert",
             "password_hash": NO_PASSWORD, **times}
            for n in range(sum(sizes) + 1)
        ]  # fmt: skip
        new_people = insert(User).returning(User.id, sort_by_parameter_order=True)
        user_ids = list((await work.execute(new_people, users)).scalars())
        life = {"rotated_at": work.now, "created_at": work.now, "expires_at": work.now + timedelta(days=1)}
        sign_ins = insert(SignIn).returning(SignIn.id, sort_by_parameter_order=True)
        lives = [{"user_id": user_id, "generation": 0, **life} for user_id in user_ids]
        sign_in_ids = (await work.execute(sign_ins, lives)).scalars()
        people = [
            Person(user_id, tokens.access(user_id, sign_in_id, work.now))
            for user_id, sign_in_id in zip(user_ids, sign_in_ids, strict=True)
        ]
        host, rest = people[0], iter(people[1:])
        members = [[next(rest) for _ in range(size)] for size in sizes]
        rooms = []
        for number, students in enumerate(members):
            course = Course(
                instructor_id=host.id, title=f"{NAME} {number}", status="published", last_activity_at=work.now, **times
            )
            work.add(course)
            await work.flush()
            row = LiveSession(
                course_id=course.id, host_id=host.id, title=NAME, status="scheduled", epoch=secrets.token_hex(8),
                last_seq=0, **times,
            )  # fmt: skip
            work.add(row)
            await work.flush()
            rooms.append(row.id)
            enrolled = {"course_id": course.id, "tier": "standard", "status": "active", "enrolled_at": work.now}
            await work.execute(insert(Enrollment), [{**enrolled, "user_id": person.id} for person in students])
    return World(host, rooms, members)


async def clear(database: Database) -> None:
    """Leave a database that was empty as empty as it was."""
    async with database.work("load-test clearing") as work:
        for table in reversed(Base.metadata.sorted_tables):
            await work.execute(delete(table))

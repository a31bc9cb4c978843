"""Who belongs to a live session, who is in it now, and who attended when."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select

from server.accounts.tables import User
from server.courses.tables import Enrollment
from server.db.database import Reading
from server.live_sessions.rules import Stay, merged, total_seconds
from server.live_sessions.schemas import AttendanceShown, IntervalShown, PersonShown
from server.live_sessions.tables import LiveSession, LiveSessionGuest, Participation
from server.wire import rfc3339

LARGEST_ROSTER = 5_000  # people in one answer; a larger course shows the first ones by name


@dataclass(frozen=True, slots=True)
class Member:
    """One line of the roster. No e-mail address: that is for the instructor, over REST."""

    user_id: int
    name: str
    avatar_url: str | None
    role: str


async def roster(read: Reading, row: LiveSession) -> list[Member]:
    """The instructor, then everyone enrolled (or invited, without a course), by name."""
    if row.course_id is not None:
        members = select(Enrollment.user_id).where(Enrollment.course_id == row.course_id, Enrollment.status == "active")
    else:
        members = select(LiveSessionGuest.user_id).where(LiveSessionGuest.live_session_id == row.id)
    query = select(User.id, User.name, User.avatar_url).where(or_(User.id == row.host_id, User.id.in_(members)))
    found = await read.execute(query.order_by(User.id != row.host_id, User.name, User.id).limit(LARGEST_ROSTER))
    other = "student" if row.course_id is not None else "guest"
    return [Member(i, n, a, "instructor" if i == row.host_id else other) for i, n, a in found]


async def present(read: Reading, live_session_id: int) -> dict[int, datetime]:
    """Who is connected now, and since when; a seat that is only held for its person does not count."""
    query = select(Participation.user_id, Participation.joined_at).where(
        Participation.live_session_id == live_session_id,
        Participation.left_at.is_(None),
        Participation.last_seen_at.is_(None),
    )
    return dict((await read.execute(query)).all())


async def attendance(read: Reading, row: LiveSession) -> list[AttendanceShown]:
    """Everyone enrolled during the class or who took part, revoked people too, by name; three queries."""
    stays: dict[int, list[Stay]] = defaultdict(list)
    query = select(Participation.user_id, Participation.joined_at, Participation.left_at, Participation.last_seen_at)
    for user_id, joined_at, left_at, seen_at in await read.execute(
        query.where(Participation.live_session_id == row.id)
    ):
        # A seat being held counts only to the moment its connection went.
        stays[user_id].append(Stay(joined_at, left_at or seen_at))
    wanted = {*stays, *await _expected(read, row)}
    people = await read.execute(
        select(User.id, User.name, User.avatar_url).where(User.id.in_(wanted)).order_by(User.name, User.id)
    )
    until = row.ended_at or read.now
    return [_line(PersonShown(id=i, name=n, avatar_url=a), merged(stays[i], until), until) for i, n, a in people]


async def _expected(read: Reading, row: LiveSession) -> Sequence[int]:
    """Students whose enrollment overlapped the class."""
    if row.course_id is None or row.started_at is None:
        return []
    from_, until = row.started_at, row.ended_at or read.now
    enrolled = and_(Enrollment.course_id == row.course_id, Enrollment.enrolled_at <= until)
    still = or_(Enrollment.status == "active", Enrollment.ended_at >= from_)
    return list(await read.scalars(select(Enrollment.user_id).where(enrolled, still)))


def _line(person: PersonShown, stays: Sequence[Stay], until: datetime) -> AttendanceShown:
    return AttendanceShown(
        user=person,
        intervals=[IntervalShown(joined_at=s.joined_at, left_at=s.left_at) for s in stays],
        total_seconds=total_seconds(stays, until),
        first_joined_at=stays[0].joined_at if stays else None,
        last_left_at=stays[-1].left_at if stays else None,
    )


def as_csv(lines: Sequence[AttendanceShown]) -> str:
    """One row an interval, absentees with empty times (RFC 4180); cells that a spreadsheet would run are quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["name", "joined_at", "left_at", "total_seconds"])
    for line in lines:
        name = line.user.name
        safe = f"'{name}" if name[:1] in "=+-@\t\r" else name
        if not line.intervals:
            writer.writerow([safe, "", "", 0])
        for stay in line.intervals:
            left = rfc3339(stay.left_at) if stay.left_at else ""
            writer.writerow([safe, rfc3339(stay.joined_at), left, line.total_seconds])
    return out.getvalue()

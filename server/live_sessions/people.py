"""Who belongs to a live session, who is in it now, and who attended when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Float, and_, cast, extract, func, or_, select

from server.accounts.tables import User
from server.courses.tables import Enrollment
from server.db.database import Reading
from server.http.spreadsheet import as_csv as table_text
from server.live_sessions.rules import Stay, merged, total_seconds
from server.live_sessions.schemas import AttendanceShown, IntervalShown, PersonShown
from server.live_sessions.tables import LiveSession, LiveSessionGuest, Participation

MOST_SUMMED = 200  # of a course's live sessions, the newest
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
    """One row an interval, absentees with empty times."""
    rows: list[tuple[str, datetime | None, datetime | None, float]] = []
    for line in lines:
        name = line.user.name
        if not line.intervals:
            rows.append((name, None, None, 0))
        rows.extend((name, stay.joined_at, stay.left_at, line.total_seconds) for stay in line.intervals)
    return table_text(["name", "joined_at", "left_at", "total_seconds"], rows)


@dataclass(frozen=True, slots=True)
class Attended:
    """A live session that began: who came beside its host, and their time in it together."""

    live_session_id: int
    title: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    attended_count: int
    total_seconds: float


async def attended(read: Reading, course_id: int) -> list[Attended]:
    """The course's newest live sessions that began, the newest first; counted in one query."""
    until = func.coalesce(Participation.left_at, Participation.last_seen_at, LiveSession.ended_at, read.now)
    if read.session.get_bind().dialect.name == "sqlite":
        seconds = (func.julianday(until) - func.julianday(Participation.joined_at)) * 86_400
    else:
        seconds = cast(extract("epoch", until - Participation.joined_at), Float)
    query = (
        select(LiveSession, func.count(Participation.user_id.distinct()), func.coalesce(func.sum(seconds), 0.0))
        .outerjoin(
            Participation,
            and_(Participation.live_session_id == LiveSession.id, Participation.user_id != LiveSession.host_id),
        )
        .where(LiveSession.course_id == course_id, LiveSession.started_at.is_not(None))
        .group_by(LiveSession.id)
        .order_by(LiveSession.started_at.desc(), LiveSession.id.desc())
        .limit(MOST_SUMMED)
    )
    return [
        Attended(row.id, row.title, row.status, row.started_at, row.ended_at, many, round(float(total), 1))
        for row, many, total in await read.execute(query)
    ]

"""What became of lessons: who watched, how long, which parts, what they said; for one lesson and for a whole course.

Counted by the database; the number of queries does not depend on lessons, people or days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Date, Float, cast, func, or_, select, text
from sqlalchemy.orm import InstrumentedAttribute

from server.content import heat
from server.content.analytics_schemas import (
    AttendanceShown,
    ContentAnalytics,
    CourseAnalytics,
    CourseTotals,
    DayShown,
    LessonShown,
    RetentionShown,
    TotalsShown,
)
from server.content.heat import Edges
from server.content.rules import Reaction, UploadStatus
from server.content.tables import Content, ContentComment, ContentLike, ContentProgress, ContentWatchDay
from server.courses.rules import EnrollmentStatus
from server.courses.tables import Course, Enrollment
from server.db.database import Reading
from server.live_sessions.people import attended

_EDGES = {
    "sqlite": """
        SELECT CAST(json_extract(r.value, '$[{end}]') / :size AS INTEGER) AS bucket, {end} AS is_end,
               COUNT(*) AS many, SUM(json_extract(r.value, '$[{end}]')) AS moments
        FROM content_progress p, json_each(p.watched) r WHERE p.content_id = :content_id GROUP BY 1""",
    "postgresql": """
        SELECT CAST(FLOOR(CAST(r.value ->> {end} AS float8) / CAST(:size AS float8)) AS integer) AS bucket,
               {end} AS is_end, COUNT(*) AS many, SUM(CAST(r.value ->> {end} AS float8)) AS moments
        FROM content_progress p, jsonb_array_elements(p.watched) AS r(value)
        WHERE p.content_id = CAST(:content_id AS bigint) GROUP BY 1""",
}


async def of_content(read: Reading, row: Content, days: int) -> ContentAnalytics:
    """One lesson, the last `days` days of it day by day."""
    lessons = await _lessons(read, [row])
    shown = lessons[0]
    duration = row.duration_seconds or 0.0
    return ContentAnalytics(
        content_id=row.id,
        course_id=row.course_id,
        title=row.title,
        duration_seconds=row.duration_seconds,
        totals=TotalsShown(**shown.model_dump(include=set(TotalsShown.model_fields))),
        retention=RetentionShown(
            seconds_per_bucket=heat.bucket_seconds(duration), viewers=heat.viewers(await _edges(read, row), duration)
        ),
        days=await _days(read, [row.id], days),
    )


async def of_course(read: Reading, course: Course, days: int) -> CourseAnalytics:
    """A course: each of its playable lessons, all together by day, and who came to its live sessions."""
    query = select(Content).where(
        Content.course_id == course.id,
        Content.deleted_at.is_(None),
        Content.upload_status == UploadStatus.COMPLETED.value,
    )
    rows = list(await read.scalars(query.order_by(Content.content_order, Content.id)))
    lessons = await _lessons(read, rows)
    enrolled = await read.scalar(
        select(func.count(Enrollment.id)).filter_by(course_id=course.id, status=EnrollmentStatus.ACTIVE.value)
    )
    ids = [row.id for row in rows]
    viewers = await read.scalar(select(func.count(ContentProgress.user_id.distinct())).where(_seen(), _of(ids)))
    sessions = await attended(read, course.id)
    finished = sum(lesson.completed_count for lesson in lessons)
    watched = sum(lesson.unique_viewers for lesson in lessons)
    return CourseAnalytics(
        course_id=course.id,
        title=course.title,
        totals=CourseTotals(
            enrollment_count=enrolled,
            views=sum(lesson.views for lesson in lessons),
            unique_viewers=viewers,
            watch_seconds=round(sum(lesson.watch_seconds for lesson in lessons), 1),
            completed_count=finished,
            completion_percent=_percent(finished, watched),
            average_percent=round(sum(each.average_percent * each.unique_viewers for each in lessons) / watched, 1)
            if watched
            else 0.0,
            like_count=sum(lesson.like_count for lesson in lessons),
            reactions={reaction: sum(each.reactions[reaction] for each in lessons) for reaction in Reaction},
            comment_count=sum(lesson.comment_count for lesson in lessons),
            live_session_count=len(sessions),
            attended_seconds=round(sum(one.total_seconds for one in sessions), 1),
        ),
        content=lessons,
        days=await _days(read, ids, days),
        attendance=[AttendanceShown.model_validate(one) for one in sessions],
    )


async def _lessons(read: Reading, rows: Sequence[Content]) -> list[LessonShown]:
    """Each lesson's totals; four queries."""
    ids = [row.id for row in rows]
    if not ids:
        return []
    completed = func.count().filter(ContentProgress.completed.is_(True))
    progress = {
        found.content_id: found
        for found in await read.execute(
            select(
                ContentProgress.content_id,
                func.count().label("people"),
                completed.label("completed"),
                func.avg(ContentProgress.percent).label("percent"),
            )
            .where(_seen(), _of(ids))
            .group_by(ContentProgress.content_id)
        )
    }
    played = await _by_content(read, ContentWatchDay.content_id, func.sum(ContentWatchDay.played_seconds), ids)
    comments = await _by_content(
        read, ContentComment.content_id, func.count(), ids, ContentComment.deleted_at.is_(None)
    )
    reactions: dict[int, dict[Reaction, int]] = {}
    for content_id, reaction, many in await read.execute(
        select(ContentLike.content_id, ContentLike.reaction, func.count())
        .where(ContentLike.content_id.in_(ids))
        .group_by(ContentLike.content_id, ContentLike.reaction)
    ):
        reactions.setdefault(content_id, {})[Reaction(reaction)] = many
    return [_lesson(row, progress.get(row.id), played, comments, reactions.get(row.id, {})) for row in rows]


def _lesson(
    row: Content,
    progress: Any,
    played: dict[int, Any],
    comments: dict[int, Any],
    reactions: dict[Reaction, int],
) -> LessonShown:
    people, completed = (progress.people, progress.completed) if progress else (0, 0)
    return LessonShown(
        content_id=row.id,
        title=row.title,
        content_type="video" if row.content_type == "video" else "audio",
        duration_seconds=row.duration_seconds,
        views=row.view_count,
        unique_viewers=people,
        watch_seconds=round(float(played.get(row.id, 0.0)), 1),
        completed_count=completed,
        completion_percent=_percent(completed, people),
        average_percent=round(float(progress.percent), 1) if progress else 0.0,
        like_count=sum(reactions.values()),
        reactions={reaction: reactions.get(reaction, 0) for reaction in Reaction},
        comment_count=comments.get(row.id, 0),
    )


async def _days(read: Reading, ids: Sequence[int], days: int) -> list[DayShown]:
    """The last `days` days in UTC, today the last, empty ones too; three queries."""
    today = read.now.date()
    first = today - timedelta(days=days - 1)
    watched = {
        str(found.day): found
        for found in await read.execute(
            select(
                ContentWatchDay.day,
                func.sum(ContentWatchDay.views).label("views"),
                func.count(ContentWatchDay.user_id.distinct()).label("people"),
                func.sum(ContentWatchDay.played_seconds).label("seconds"),
            )
            .where(ContentWatchDay.content_id.in_(ids), ContentWatchDay.day >= first)
            .group_by(ContentWatchDay.day)
        )
    }
    said = await _by_day(
        read, ContentComment.created_at, first, ContentComment.content_id.in_(ids), ContentComment.deleted_at.is_(None)
    )
    liked = await _by_day(read, ContentLike.created_at, first, ContentLike.content_id.in_(ids))
    shown = []
    for number in range(days):
        day = first + timedelta(days=number)
        found = watched.get(str(day))
        shown.append(
            DayShown(
                day=day,
                views=found.views if found else 0,
                viewers=found.people if found else 0,
                watch_seconds=round(float(found.seconds), 1) if found else 0.0,
                comments=said.get(str(day), 0),
                reactions=liked.get(str(day), 0),
            )
        )
    return shown


async def _edges(read: Reading, row: Content) -> list[Edges]:
    """Where ranges begin and end, by bucket: at most two rows a bucket."""
    statement = _EDGES[_dialect(read)]
    both = text(" UNION ALL ".join(statement.format(end=end) for end in (0, 1)))
    size = heat.bucket_seconds(row.duration_seconds or 0.0)
    found = await read.execute(both, {"size": size, "content_id": row.id})
    return [Edges(each.bucket, bool(each.is_end), each.many, float(each.moments)) for each in found]


async def _by_content(
    read: Reading, column: InstrumentedAttribute[int], counted: Any, ids: Sequence[int], *conditions: Any
) -> dict[int, Any]:
    query = select(column, counted).where(column.in_(ids), *conditions).group_by(column)
    return dict((await read.execute(query)).all())


async def _by_day(read: Reading, moment: InstrumentedAttribute[Any], first: date, *conditions: Any) -> dict[str, int]:
    """How many a day, by the day's ISO text."""
    day = func.date(moment) if _dialect(read) == "sqlite" else cast(func.timezone("UTC", moment), Date)
    query = select(day, func.count()).where(*conditions).group_by(day)
    return {str(on): many for on, many in await read.execute(query) if str(on) >= str(first)}


def _seen() -> Any:
    """Whoever has played something; a person who only opened the page has a row, too."""
    return or_(cast(ContentProgress.percent, Float) > 0, ContentProgress.viewed_at.is_not(None))


def _of(ids: Sequence[int]) -> Any:
    return ContentProgress.content_id.in_(ids)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _dialect(read: Reading) -> str:
    return str(read.session.get_bind().dialect.name)

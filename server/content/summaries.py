"""What a course shows of its lessons, as parts of one query: how many there are, and how far somebody is."""

from __future__ import annotations

from sqlalchemy import ColumnElement, ScalarSelect, Select, Subquery, and_, case, func, select
from sqlalchemy.orm import InstrumentedAttribute

from server.content.rules import UploadStatus
from server.content.tables import Content, ContentProgress

CourseColumn = InstrumentedAttribute[int]


def lesson_count(course_id: CourseColumn) -> ScalarSelect[int]:
    """How many lessons of the course can be played."""
    return select(func.count(Content.id)).where(*_playable(course_id)).scalar_subquery()


def lesson_counts(course_ids: Select[int]) -> Subquery:
    """The same for many courses at once, to be joined: rows of (course_id, many); courses without lessons have none."""
    return (
        select(Content.course_id, func.count().label("many"))
        .where(
            Content.course_id.in_(course_ids),
            Content.deleted_at.is_(None),
            Content.upload_status == UploadStatus.COMPLETED.value,
        )
        .group_by(Content.course_id)
        .subquery()
    )


def completed_count(course_id: CourseColumn, user_id: int) -> ScalarSelect[int]:
    """How many of them the person has completed."""
    return (
        select(func.count(case((ContentProgress.completed.is_(True), 1))))
        .select_from(Content)
        .join(ContentProgress, _of(user_id))
        .where(*_playable(course_id))
        .scalar_subquery()
    )


def percent_sum(course_id: CourseColumn, user_id: int) -> ScalarSelect[float]:
    """The sum of the person's percentages over the playable lessons; divide by their number."""
    return (
        select(func.coalesce(func.sum(ContentProgress.percent), 0.0))
        .select_from(Content)
        .join(ContentProgress, _of(user_id))
        .where(*_playable(course_id))
        .scalar_subquery()
    )


def _of(user_id: int) -> ColumnElement[bool]:
    return and_(ContentProgress.content_id == Content.id, ContentProgress.user_id == user_id)


def _playable(course_id: CourseColumn) -> tuple[ColumnElement[bool], ...]:
    return (
        Content.course_id == course_id,
        Content.deleted_at.is_(None),
        Content.upload_status == UploadStatus.COMPLETED.value,
    )

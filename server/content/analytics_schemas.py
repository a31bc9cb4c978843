"""What instructors are told of their lessons' use. Days are UTC's; everybody counts, the instructor too."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from server.content.rules import Reaction
from server.content.schemas import Kind
from server.wire import Moment, Wire

MOST_DAYS = 366
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]


class ContentAnalyticsAsked(Wire):
    """`table` chooses what a CSV file holds: a line a day, or a line a second (or bucket of seconds) of the lesson."""

    days: Days = 30
    format: Literal["json", "csv"] = "json"
    table: Literal["days", "seconds"] = "days"


class CourseAnalyticsAsked(Wire):
    """`table` chooses what a CSV file holds: a line a lesson, a day or a live session."""

    days: Days = 30
    format: Literal["json", "csv"] = "json"
    table: Literal["content", "days", "attendance"] = "content"


class TotalsShown(Wire):
    """`completion_percent` is of the viewers; `average_percent` is how much of a lesson a viewer has seen."""

    views: int
    unique_viewers: int
    watch_seconds: float
    completed_count: int
    completion_percent: float
    average_percent: float
    like_count: int
    reactions: dict[Reaction, int]
    comment_count: int


class CourseTotals(TotalsShown):
    """`attended_seconds` is all students' time in live sessions."""

    enrollment_count: int
    live_session_count: int
    attended_seconds: float


class LessonShown(TotalsShown):
    content_id: int
    title: str
    content_type: Kind
    duration_seconds: float | None


class RetentionShown(Wire):
    """How many people watched each part, `seconds_per_bucket` after the other; an average, so it has fractions."""

    seconds_per_bucket: float
    viewers: list[float]


class DayShown(Wire):
    day: date
    views: int
    viewers: int
    watch_seconds: float
    comments: int
    reactions: int


class AttendanceShown(Wire):
    """A live session that began: how many students came, and their time in it together."""

    live_session_id: int
    title: str
    status: str
    started_at: Moment
    ended_at: Moment | None
    attended_count: int
    total_seconds: float


class ContentAnalytics(Wire):
    content_id: int
    course_id: int
    title: str
    duration_seconds: float | None
    totals: TotalsShown
    retention: RetentionShown
    days: list[DayShown]


class CourseAnalytics(Wire):
    """`attendance` has the newest 200 live sessions, the newest first."""

    course_id: int
    title: str
    totals: CourseTotals
    content: list[LessonShown]
    days: list[DayShown]
    attendance: list[AttendanceShown]

"""Analytics over REST, for pages and for spreadsheets."""

from __future__ import annotations

from aiohttp import web

from server.access import Action
from server.content import analytics
from server.content.analytics_schemas import (
    ContentAnalytics,
    ContentAnalyticsAsked,
    CourseAnalytics,
    CourseAnalyticsAsked,
    DayShown,
)
from server.content.audience import to_edit
from server.content.rules import Reaction
from server.courses import service as courses
from server.courses.doors import course_door
from server.errors import Missing, NotCourseInstructor
from server.http.keys import ACTOR, DATABASE
from server.http.routes import Request, Routes, path_id
from server.http.spreadsheet import csv_response

route = Routes("content")
DAYS = ("day", "views", "viewers", "watch_seconds", "comments", "reactions")
LESSONS = (
    *("content_id", "title", "content_type", "duration_seconds", "views", "unique_viewers", "watch_seconds"),
    *("completed_count", "completion_percent", "average_percent", "like_count", "comment_count"),
)
SESSIONS = ("live_session_id", "title", "status", "started_at", "ended_at", "attended_count", "total_seconds")


async def _editing(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        await to_edit(read, request[ACTOR], path_id(request, "content_id"))


@route.get(
    "/content/{content_id}/analytics",
    query=ContentAnalyticsAsked,
    answers=ContentAnalytics,
    door=_editing,
    refuses=(Missing, NotCourseInstructor),
)
async def content_analytics(request: Request, asked: ContentAnalyticsAsked) -> ContentAnalytics | web.Response:
    """What became of a lesson: totals, what was watched second by second, by day; `?format=csv` for spreadsheets."""
    async with request.app[DATABASE].read() as read:
        seen = await to_edit(read, request[ACTOR], path_id(request, "content_id"))
        found = await analytics.of_content(read, seen.content, asked.days)
    if asked.format == "json":
        return found
    if asked.table == "days":
        return csv_response(f"lesson-{found.content_id}-days", DAYS, map(_day, found.days))
    size = found.retention.seconds_per_bucket
    lines = [(size * place, viewers) for place, viewers in enumerate(found.retention.viewers)]
    return csv_response(f"lesson-{found.content_id}-seconds", ("at_seconds", "viewers"), lines)


@route.get(
    "/courses/{course_id}/analytics",
    query=CourseAnalyticsAsked,
    answers=CourseAnalytics,
    door=course_door(Action.CONTENT_EDIT),
    refuses=(Missing, NotCourseInstructor),
)
async def course_analytics(request: Request, asked: CourseAnalyticsAsked) -> CourseAnalytics | web.Response:
    """What became of a course: totals, lesson by lesson, day by day, attendance; `?format=csv` for a spreadsheet."""
    async with request.app[DATABASE].read() as read:
        course, _, _ = await courses.access(read, path_id(request, "course_id"), request[ACTOR], Action.CONTENT_EDIT)
        found = await analytics.of_course(read, course, asked.days)
    if asked.format == "json":
        return found
    name = f"course-{found.course_id}-{asked.table}"
    if asked.table == "days":
        return csv_response(name, DAYS, map(_day, found.days))
    if asked.table == "attendance":
        sessions = [[getattr(one, column) for column in SESSIONS] for one in found.attendance]
        return csv_response(name, SESSIONS, sessions)
    lessons = [
        [*(getattr(one, column) for column in LESSONS), *(one.reactions[reaction] for reaction in Reaction)]
        for one in found.content
    ]
    return csv_response(name, (*LESSONS, *(reaction.value for reaction in Reaction)), lessons)


def _day(day: DayShown) -> tuple[str, int, int, float, int, int]:
    return (day.day.isoformat(), day.views, day.viewers, day.watch_seconds, day.comments, day.reactions)

"""Notifications as they cross the wire."""

from __future__ import annotations

from typing import Any, Literal

from server.wire import Moment, Wire

NotificationType = Literal[
    "live_session_scheduled",
    "live_session_rescheduled",
    "live_session_started",
    "live_session_cancelled",
    "live_session_reminder",
    "content_added",
    "content_failed",
    "comment_reply",
    "enrollment_added",
    "enrollment_revoked",
]


class NotificationShown(Wire):
    """`data` is {url, course_id?, live_session_id?, content_id?}."""

    id: int
    type: NotificationType
    title: str
    body: str
    data: dict[str, Any]
    created_at: Moment
    read_at: Moment | None


class UnreadCount(Wire):
    unread: int
    count: int


class NotificationsAsked(Wire):
    unread: bool = False

"""Uploaded lessons and what people do with them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, Date, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import AUTOINCREMENT, Base, BigInt, Json, UtcDateTime, identity


class Content(Base):
    """A lesson. `file_url` and `thumbnail_url` hold storage keys; clients get signed addresses made from them.

    `file_name`, `file_size` (bytes) and `mime_type` describe the original; `revision` orders processing events.
    `seek_sheet` is what seeking.py says of the picture under `seek_sheet_key`; both come a moment after `completed`.
    Of resumable uploads alone: `upload_expires_at`, `upload_metadata` (the client's header), and `bytes_received` when
    somebody last wrote (the part file's size is the truth).
    """

    __tablename__ = "course_content"
    __table_args__ = (Index(None, "course_id", "content_order", "id"), AUTOINCREMENT)

    id: Mapped[int] = identity()
    course_id: Mapped[int] = mapped_column(BigInt, ForeignKey("academy_courses.id"))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    content_type: Mapped[str] = mapped_column(String(16))
    file_url: Mapped[str | None] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(String(255))
    file_size: Mapped[int] = mapped_column(BigInt)
    mime_type: Mapped[str] = mapped_column(String(80))
    duration_seconds: Mapped[float | None] = mapped_column(Float)
    thumbnail_url: Mapped[str | None] = mapped_column(Text)
    upload_status: Mapped[str] = mapped_column(String(16))
    error_code: Mapped[str | None] = mapped_column(String(40))
    processing_stage: Mapped[str | None] = mapped_column(String(16))
    processing_percent: Mapped[int] = mapped_column(Integer, default=0)
    content_order: Mapped[int] = mapped_column(Integer, default=0)
    is_preview: Mapped[bool] = mapped_column(Boolean, default=False)
    access_level: Mapped[str] = mapped_column(String(16), default="enrolled_only")
    view_count: Mapped[int] = mapped_column(Integer, default=0)
    original_key: Mapped[str | None] = mapped_column(Text)
    served_mime_type: Mapped[str | None] = mapped_column(String(80))
    served_size: Mapped[int | None] = mapped_column(BigInt)
    etag: Mapped[str | None] = mapped_column(String(80))
    upload_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    upload_metadata: Mapped[str | None] = mapped_column(Text)
    bytes_received: Mapped[int | None] = mapped_column(BigInt)
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    seek_sheet_key: Mapped[str | None] = mapped_column(Text)
    seek_sheet: Mapped[Any | None] = mapped_column(Json)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    created_by: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ContentCaptions(Base):
    """What is said in a lesson, in one language (a BCP 47 tag): `key` is the stored WebVTT file, `label` its name."""

    __tablename__ = "content_captions"
    __table_args__ = (Index("uq_content_captions_content_id_lang", "content_id", "lang", unique=True), AUTOINCREMENT)

    id: Mapped[int] = identity()
    content_id: Mapped[int] = mapped_column(BigInt, ForeignKey("course_content.id"))
    lang: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(String(60))
    key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ContentProgress(Base):
    """How far one person is: `watched` is a sorted list of disjoint [from, to] in seconds, `percent` 0 to 100.

    `played_seconds` is play since the last counted view (`viewed_at`).
    """

    __tablename__ = "content_progress"
    __table_args__ = (
        Index("uq_content_progress_content_id_user_id", "content_id", "user_id", unique=True),
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    content_id: Mapped[int] = mapped_column(BigInt, ForeignKey("course_content.id"))
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    position_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    watched: Mapped[Any] = mapped_column(Json, default=list)
    percent: Mapped[float] = mapped_column(Float, default=0.0)
    completed: Mapped[bool] = mapped_column(Boolean, default=False)
    revision: Mapped[int] = mapped_column(BigInt, default=0)
    viewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    played_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ContentWatchDay(Base):
    """What one person watched of a lesson on one day (UTC): seconds of play, and views that were counted."""

    __tablename__ = "content_watch_days"
    __table_args__ = (
        Index("uq_content_watch_days_content_id_day_user_id", "content_id", "day", "user_id", unique=True),
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    content_id: Mapped[int] = mapped_column(BigInt, ForeignKey("course_content.id"))
    day: Mapped[date] = mapped_column(Date)
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    played_seconds: Mapped[float] = mapped_column(Float)
    views: Mapped[int] = mapped_column(Integer)


class ContentComment(Base):
    """A remark on a lesson, perhaps at a second of it, perhaps in answer to another."""

    __tablename__ = "content_comments"
    __table_args__ = (Index(None, "content_id", "id"), AUTOINCREMENT)

    id: Mapped[int] = identity()
    content_id: Mapped[int] = mapped_column(BigInt, ForeignKey("course_content.id"))
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    parent_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("content_comments.id"))
    body: Mapped[str] = mapped_column(Text)
    at_seconds: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ContentLike(Base):
    """One person's reaction to a lesson: like, love, insightful or confused."""

    __tablename__ = "content_likes"
    __table_args__ = (Index("uq_content_likes_content_id_user_id", "content_id", "user_id", unique=True), AUTOINCREMENT)

    id: Mapped[int] = identity()
    content_id: Mapped[int] = mapped_column(BigInt, ForeignKey("course_content.id"))
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    reaction: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

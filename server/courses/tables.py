"""Courses and who is in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import AUTOINCREMENT, Base, BigInt, UtcDateTime, identity


class Course(Base):
    """A course; `status` is draft, published or archived; `thumbnail_url` holds the storage key of its picture."""

    __tablename__ = "academy_courses"
    __table_args__ = (Index(None, "instructor_id"), Index(None, "status", "id"), AUTOINCREMENT)

    id: Mapped[int] = identity()
    instructor_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    category: Mapped[str | None] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(16))
    thumbnail_url: Mapped[str | None] = mapped_column(Text)
    last_activity_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Enrollment(Base):
    """One person's place in a course.

    `status` is active, left (by themselves) or revoked (by the instructor). `revision` grows with every change, so that
    tickets and sockets made under an older one can be told apart.
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        Index("uq_enrollments_course_id_user_id", "course_id", "user_id", unique=True),
        Index(None, "user_id", "status"),
        Index(None, "course_id", "status"),  # the courses of an instructor are counted from it alone
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    course_id: Mapped[int] = mapped_column(BigInt, ForeignKey("academy_courses.id"))
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    tier: Mapped[str] = mapped_column(String(16), default="standard")
    status: Mapped[str] = mapped_column(String(16))
    revision: Mapped[int] = mapped_column(Integer, default=1)
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

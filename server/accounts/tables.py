"""People, their sign-ins and the one-time links that let new people in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import AUTOINCREMENT, Base, BigInt, UtcDateTime, identity


class User(Base):
    """A person. `email` is kept lower-case; `role` is student, expert or admin."""

    __tablename__ = "users"
    __table_args__ = (Index("uq_users_email", "email", unique=True), AUTOINCREMENT)

    id: Mapped[int] = identity()
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    avatar_url: Mapped[str | None] = mapped_column(Text)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SignIn(Base):
    """One sign-in of one browser: a refresh-token family. `generation` counts rotations."""

    __tablename__ = "sign_ins"
    __table_args__ = (Index(None, "user_id"), AUTOINCREMENT)

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    generation: Mapped[int] = mapped_column(BigInt, default=0)
    rotated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(32))


class Invite(Base):
    """A one-time link: to a course (`course_id`, `email`, `tier`) or the first instructor's set-up.

    Only the SHA-256 of its token is stored.
    """

    __tablename__ = "invites"
    __table_args__ = (
        Index("uq_invites_token_hash", "token_hash", unique=True),
        Index(None, "course_id", "email"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    kind: Mapped[str] = mapped_column(String(16))
    course_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("academy_courses.id"))
    email: Mapped[str | None] = mapped_column(String(254))
    tier: Mapped[str] = mapped_column(String(16), default="standard")
    token_hash: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[int | None] = mapped_column(BigInt, ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_by: Mapped[int | None] = mapped_column(BigInt, ForeignKey("users.id"))

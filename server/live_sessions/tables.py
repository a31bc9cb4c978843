"""Live sessions, the numbered log of each, who took part when, and which process holds which connection."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import AUTOINCREMENT, Base, BigInt, Json, UtcDateTime, identity


class LiveSession(Base):
    """One class. `epoch` and `last_seq` are its timeline's position; its row lock orders all writes to the room."""

    __tablename__ = "live_sessions"
    __table_args__ = (
        Index(None, "course_id", "status"),
        Index(None, "host_id", "status"),
        Index(None, "status", "scheduled_at"),
        # A course has one live session at a time, whoever races to start a second.
        Index(
            "uq_live_sessions_live_course_id",
            "course_id",
            unique=True,
            sqlite_where=text("status = 'live'"),
            postgresql_where=text("status = 'live'"),
        ),
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    course_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("academy_courses.id"))
    host_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(16))
    scheduled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_minutes: Mapped[int | None] = mapped_column(Integer)
    max_participants: Mapped[int | None] = mapped_column(Integer)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(16))
    invite_code: Mapped[str | None] = mapped_column(String(64))
    epoch: Mapped[str] = mapped_column(String(32))
    last_seq: Mapped[int] = mapped_column(BigInt, default=0)
    empty_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LiveSessionEvent(Base):
    """One line of the timeline. `answer` is what the acknowledgement adds beyond {seq, at}, for a repeated wish.

    `line_seq` is the chat line an edit, deletion or reaction is about, so that an old line is found without a scan.
    """

    __tablename__ = "live_session_events"
    __table_args__ = (
        Index("uq_live_session_events_client_id", "live_session_id", "actor_id", "client_id", unique=True),
        Index(
            None,
            "live_session_id",
            "line_seq",
            "seq",
            sqlite_where=text("line_seq IS NOT NULL"),
            postgresql_where=text("line_seq IS NOT NULL"),
        ),
    )

    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    type: Mapped[str] = mapped_column(String(40))
    actor_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("users.id"))
    client_id: Mapped[str | None] = mapped_column(String(36))
    payload: Mapped[Any] = mapped_column(Json)
    answer: Mapped[Any | None] = mapped_column(Json)
    line_seq: Mapped[int | None] = mapped_column(BigInt)


class LiveSessionState(Base):
    """What the events up to `seq` made of a room, without the words of its chat, so that few events are read again.

    `shape` numbers the form of `state`; one of another shape or epoch counts as absent.
    """

    __tablename__ = "live_session_states"

    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(32))
    seq: Mapped[int] = mapped_column(BigInt)
    shape: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)


class Participation(Base):
    """One stay of one person: an attendance interval. Open while `left_at` is null.

    `last_seen_at` is null while a connection holds the seat, else the moment the last one went.
    """

    __tablename__ = "participations"
    __table_args__ = (
        Index(None, "live_session_id", "user_id"),
        Index(None, "left_at", "last_seen_at"),
        Index(
            "uq_participations_open",
            "live_session_id",
            "user_id",
            unique=True,
            sqlite_where=text("left_at IS NULL"),
            postgresql_where=text("left_at IS NULL"),
        ),
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"))
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(String(16))
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PollAnswer(Base):
    """One answer of one person to one poll, which nobody else reads; the last one is current and counts.

    `choices` are option numbers in order, joined by commas, so that a tally is one GROUP BY. `seq` and `at` are what
    the wish was answered, for its repetition.
    """

    __tablename__ = "poll_answers"
    __table_args__ = (
        Index("uq_poll_answers_client_id", "live_session_id", "user_id", "client_id", unique=True),
        Index(
            "uq_poll_answers_current",
            "live_session_id",
            "poll",
            "user_id",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"))
    poll: Mapped[int] = mapped_column(BigInt)
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    client_id: Mapped[str] = mapped_column(String(36))
    choices: Mapped[str] = mapped_column(String(40))
    seq: Mapped[int] = mapped_column(BigInt)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_current: Mapped[bool] = mapped_column(Boolean)


class QuestionVote(Base):
    """One vote, or its withdrawal, for a question; who voted is nobody's business, the timeline has the count."""

    __tablename__ = "question_votes"
    __table_args__ = (
        Index("uq_question_votes_client_id", "live_session_id", "user_id", "client_id", unique=True),
        Index(
            "uq_question_votes_current",
            "live_session_id",
            "question",
            "user_id",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"))
    question: Mapped[int] = mapped_column(BigInt)
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    client_id: Mapped[str] = mapped_column(String(36))
    is_on: Mapped[bool] = mapped_column(Boolean)
    seq: Mapped[int] = mapped_column(BigInt)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_current: Mapped[bool] = mapped_column(Boolean)


class LiveSessionRemoval(Base):
    """Someone the instructor removed: they stay removed from this session, on the socket and over REST."""

    __tablename__ = "live_session_removals"

    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"), primary_key=True)
    removed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LiveSessionGuest(Base):
    """Someone who entered a live session without a course by its invite code, and so is a member of it."""

    __tablename__ = "live_session_guests"

    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProcessLease(Base):
    """A running web process, renewed every few seconds; connections live as long as their process's lease.

    `counts_version` grows with every change of the process's presence counts, here and on the bus.
    """

    __tablename__ = "process_leases"
    __table_args__ = (Index(None, "ended_at", "renewed_at"), AUTOINCREMENT)

    id: Mapped[int] = identity()
    kind: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    renewed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    counts_version: Mapped[int] = mapped_column(BigInt)


class PresenceCount(Base):
    """How many connections of one person one web process holds: in a live session, or at all (session 0).

    Written in bundles by processes that share a database, and read by the others. No foreign key but the lease's: a
    bundle of a thousand people must not lock a thousand rows.
    """

    __tablename__ = "presence_counts"

    lease_id: Mapped[int] = mapped_column(BigInt, ForeignKey("process_leases.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    live_session_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    connections: Mapped[int] = mapped_column(Integer)


class RoomConnection(Base):
    """One browser tab inside a room, held by one process."""

    __tablename__ = "room_connections"
    __table_args__ = (Index(None, "live_session_id", "user_id"), Index(None, "lease_id"))

    connection_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    lease_id: Mapped[int] = mapped_column(BigInt, ForeignKey("process_leases.id"))
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MediaWorker(Base):
    """A media worker, found by where its control socket listens; its lease is renewed by the web processes it answers.

    `incarnation` is the running process's own name: whatever was placed on another is not there any more.
    """

    __tablename__ = "media_workers"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = identity()
    address: Mapped[str] = mapped_column(String(255), unique=True)
    incarnation: Mapped[str] = mapped_column(String(32))
    renewed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MediaPlacement(Base):
    """The one media worker that forwards for a room, whichever web processes its people are connected to."""

    __tablename__ = "media_placements"
    __table_args__ = (Index(None, "worker_id"),)

    live_session_id: Mapped[int] = mapped_column(BigInt, ForeignKey("live_sessions.id"), primary_key=True)
    worker_id: Mapped[int] = mapped_column(BigInt, ForeignKey("media_workers.id"))
    incarnation: Mapped[str] = mapped_column(String(32))
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)

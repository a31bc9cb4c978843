"""Work that must happen though nobody waits for it: leased rows, retried, visible."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import AUTOINCREMENT, Base, BigInt, Json, UtcDateTime, identity


class Job(Base):
    """One piece of work. `state` is waiting, running, done or failed; a lapsed lease makes a running one waiting again.

    `subject_id` is what it is about (a content id for `process_content`).
    """

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "state", "run_at"), Index(None, "kind", "subject_id"), AUTOINCREMENT)

    id: Mapped[int] = identity()
    kind: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[int | None] = mapped_column(BigInt)
    payload: Mapped[Any] = mapped_column(Json, default=dict)
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    run_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

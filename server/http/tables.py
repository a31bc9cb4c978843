"""Answers kept for a day, so that a repeated POST with the same Idempotency-Key is answered and not done again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import AUTOINCREMENT, Base, BigInt, UtcDateTime, identity


class IdempotentAnswer(Base):
    """One remembered answer; `status` is null while the first request is still being worked.

    `made_id` is what that request made, written with it, so that it is not made again when the answer was lost.
    """

    __tablename__ = "idempotent_answers"
    __table_args__ = (
        Index("uq_idempotent_answers_user_id_key", "user_id", "key", unique=True),
        Index(None, "created_at"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInt)
    key: Mapped[str] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    made_id: Mapped[int | None] = mapped_column(BigInt)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

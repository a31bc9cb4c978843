"""Each person's inbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import AUTOINCREMENT, Base, BigInt, Json, UtcDateTime, identity


class Notification(Base):
    """One line of one inbox; `data` is {url, course_id?, live_session_id?, content_id?}."""

    __tablename__ = "notifications"
    __table_args__ = (Index(None, "user_id", "id"), Index(None, "user_id", "read_at"), AUTOINCREMENT)

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    type: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(250))
    body: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[Any] = mapped_column(Json, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

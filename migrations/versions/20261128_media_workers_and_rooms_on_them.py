"""media workers, and which of them forwards for a room"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_media_workers"
down_revision = "20261128_count_enrollments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "media_workers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("incarnation", sa.String(length=32), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media_workers")),
        sa.UniqueConstraint("address", name=op.f("uq_media_workers_address")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "media_placements",
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("worker_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("incarnation", sa.String(length=32), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_session_id"], ["live_sessions.id"], name=op.f("fk_media_placements_live_session_id_live_sessions")
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["media_workers.id"], name=op.f("fk_media_placements_worker_id_media_workers")
        ),
        sa.PrimaryKeyConstraint("live_session_id", name=op.f("pk_media_placements")),
    )
    op.create_index(op.f("ix_media_placements_worker_id"), "media_placements", ["worker_id"], unique=False)


def downgrade() -> None:
    op.drop_table("media_placements")
    op.drop_table("media_workers")

"""what was watched by day"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_watch_days"
down_revision = "20261128_captions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "content_watch_days",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("content_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("played_seconds", sa.Float(), nullable=False),
        sa.Column("views", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["course_content.id"], name=op.f("fk_content_watch_days_content_id_course_content")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_content_watch_days_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_watch_days")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_content_watch_days_content_id_day_user_id",
        "content_watch_days",
        ["content_id", "day", "user_id"],
        unique=True,
    )


def downgrade() -> None:
    op.drop_index("uq_content_watch_days_content_id_day_user_id", table_name="content_watch_days")
    op.drop_table("content_watch_days")

"""captions of lessons"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_captions"
down_revision = "20261128_seek_sheet"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "content_captions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("content_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lang", sa.String(length=20), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["course_content.id"], name=op.f("fk_content_captions_content_id_course_content")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_captions")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_content_captions_content_id_lang", "content_captions", ["content_id", "lang"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_content_captions_content_id_lang", table_name="content_captions")
    op.drop_table("content_captions")

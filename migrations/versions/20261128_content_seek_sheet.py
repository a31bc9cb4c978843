"""content keeps a seek sheet"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261128_seek_sheet"
down_revision = "20261123_base"
branch_labels = None
depends_on = None


def upgrade() -> None:
    words = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
    op.add_column("course_content", sa.Column("seek_sheet_key", sa.Text(), nullable=True))
    op.add_column("course_content", sa.Column("seek_sheet", words, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("course_content", schema=None) as batch_op:
        batch_op.drop_column("seek_sheet")
        batch_op.drop_column("seek_sheet_key")

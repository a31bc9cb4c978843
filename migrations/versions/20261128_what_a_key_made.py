"""an Idempotency-Key remembers what it made, in the transaction that made it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_what_a_key_made"
down_revision = "20261128_media_workers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "idempotent_answers", sa.Column("made_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )


def downgrade() -> None:
    with op.batch_alter_table("idempotent_answers") as table:
        table.drop_column("made_id")

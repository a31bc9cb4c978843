"""enrollments are counted by course and status"""

from __future__ import annotations

from alembic import op

revision = "20261128_count_enrollments"
down_revision = "20261128_watch_days"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_enrollments_course_id_status"), "enrollments", ["course_id", "status"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_enrollments_course_id_status"), table_name="enrollments")

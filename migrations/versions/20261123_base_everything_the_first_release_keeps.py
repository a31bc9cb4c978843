"""everything the first release keeps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_base"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotent_answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotent_answers")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("idempotent_answers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotent_answers_created_at"), ["created_at"], unique=False)
        batch_op.create_index("uq_idempotent_answers_user_id_key", ["user_id", "key"], unique=True)

    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "payload", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_jobs_kind_subject_id"), ["kind", "subject_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_jobs_state_run_at"), ["state", "run_at"], unique=False)

    op.create_table(
        "process_leases",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts_version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_leases")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("process_leases", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_process_leases_ended_at_renewed_at"), ["ended_at", "renewed_at"], unique=False
        )

    op.create_table(
        "presence_counts",
        sa.Column("lease_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column(
            "live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("connections", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lease_id"], ["process_leases.id"], name=op.f("fk_presence_counts_lease_id_process_leases")
        ),
        sa.PrimaryKeyConstraint("lease_id", "user_id", "live_session_id", name=op.f("pk_presence_counts")),
    )

    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index("uq_users_email", ["email"], unique=True)

    op.create_table(
        "academy_courses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("instructor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=80), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("thumbnail_url", sa.Text(), nullable=True),
        sa.Column("last_activity_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["instructor_id"], ["users.id"], name=op.f("fk_academy_courses_instructor_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_academy_courses")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("academy_courses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_academy_courses_instructor_id"), ["instructor_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_academy_courses_status_id"), ["status", "id"], unique=False)

    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=250), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "data", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notifications_user_id_id"), ["user_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notifications_user_id_read_at"), ["user_id", "read_at"], unique=False)

    op.create_table(
        "sign_ins",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("generation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_ins_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_ins_user_id"), ["user_id"], unique=False)

    op.create_table(
        "course_content",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("course_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=16), nullable=False),
        sa.Column("file_url", sa.Text(), nullable=True),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("file_size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mime_type", sa.String(length=80), nullable=False),
        sa.Column("duration_seconds", sa.Float(), nullable=True),
        sa.Column("thumbnail_url", sa.Text(), nullable=True),
        sa.Column("upload_status", sa.String(length=16), nullable=False),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("processing_stage", sa.String(length=16), nullable=True),
        sa.Column("processing_percent", sa.Integer(), nullable=False),
        sa.Column("content_order", sa.Integer(), nullable=False),
        sa.Column("is_preview", sa.Boolean(), nullable=False),
        sa.Column("access_level", sa.String(length=16), nullable=False),
        sa.Column("view_count", sa.Integer(), nullable=False),
        sa.Column("original_key", sa.Text(), nullable=True),
        sa.Column("served_mime_type", sa.String(length=80), nullable=True),
        sa.Column("served_size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("etag", sa.String(length=80), nullable=True),
        sa.Column("upload_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("upload_metadata", sa.Text(), nullable=True),
        sa.Column("bytes_received", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["course_id"], ["academy_courses.id"], name=op.f("fk_course_content_course_id_academy_courses")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_course_content_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course_content")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("course_content", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_course_content_course_id_content_order_id"),
            ["course_id", "content_order", "id"],
            unique=False,
        )

    op.create_table(
        "enrollments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("course_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["course_id"], ["academy_courses.id"], name=op.f("fk_enrollments_course_id_academy_courses")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_enrollments_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollments")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("enrollments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrollments_user_id_status"), ["user_id", "status"], unique=False)
        batch_op.create_index("uq_enrollments_course_id_user_id", ["course_id", "user_id"], unique=True)

    op.create_table(
        "invites",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("course_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["course_id"], ["academy_courses.id"], name=op.f("fk_invites_course_id_academy_courses")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_invites_created_by_users")),
        sa.ForeignKeyConstraint(["used_by"], ["users.id"], name=op.f("fk_invites_used_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invites")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("invites", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invites_course_id_email"), ["course_id", "email"], unique=False)
        batch_op.create_index("uq_invites_token_hash", ["token_hash"], unique=True)

    op.create_table(
        "live_sessions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("course_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("host_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_minutes", sa.Integer(), nullable=True),
        sa.Column("max_participants", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=16), nullable=True),
        sa.Column("invite_code", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("last_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("empty_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["academy_courses.id"], name=op.f("fk_live_sessions_course_id_academy_courses")
        ),
        sa.ForeignKeyConstraint(["host_id"], ["users.id"], name=op.f("fk_live_sessions_host_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_sessions")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("live_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_live_sessions_course_id_status"), ["course_id", "status"], unique=False)
        batch_op.create_index(batch_op.f("ix_live_sessions_host_id_status"), ["host_id", "status"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_live_sessions_status_scheduled_at"), ["status", "scheduled_at"], unique=False
        )
        batch_op.create_index(
            "uq_live_sessions_live_course_id",
            ["course_id"],
            unique=True,
            sqlite_where=sa.text("status = 'live'"),
            postgresql_where=sa.text("status = 'live'"),
        )

    op.create_table(
        "content_comments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("content_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_seconds", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["content_id"], ["course_content.id"], name=op.f("fk_content_comments_content_id_course_content")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["content_comments.id"], name=op.f("fk_content_comments_parent_id_content_comments")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_content_comments_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_comments")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("content_comments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_content_comments_content_id_id"), ["content_id", "id"], unique=False)

    op.create_table(
        "content_likes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("content_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reaction", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["course_content.id"], name=op.f("fk_content_likes_content_id_course_content")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_content_likes_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_likes")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("content_likes", schema=None) as batch_op:
        batch_op.create_index("uq_content_likes_content_id_user_id", ["content_id", "user_id"], unique=True)

    op.create_table(
        "content_progress",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("content_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position_seconds", sa.Float(), nullable=False),
        sa.Column(
            "watched", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("percent", sa.Float(), nullable=False),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("viewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("played_seconds", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["course_content.id"], name=op.f("fk_content_progress_content_id_course_content")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_content_progress_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_progress")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("content_progress", schema=None) as batch_op:
        batch_op.create_index("uq_content_progress_content_id_user_id", ["content_id", "user_id"], unique=True)

    op.create_table(
        "live_session_events",
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("actor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column(
            "payload", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "answer", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=True
        ),
        sa.Column("line_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_live_session_events_actor_id_users")),
        sa.ForeignKeyConstraint(
            ["live_session_id"], ["live_sessions.id"], name=op.f("fk_live_session_events_live_session_id_live_sessions")
        ),
        sa.PrimaryKeyConstraint("live_session_id", "seq", name=op.f("pk_live_session_events")),
    )
    with op.batch_alter_table("live_session_events", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_live_session_events_live_session_id_line_seq_seq"),
            ["live_session_id", "line_seq", "seq"],
            unique=False,
            sqlite_where=sa.text("line_seq IS NOT NULL"),
            postgresql_where=sa.text("line_seq IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_live_session_events_client_id", ["live_session_id", "actor_id", "client_id"], unique=True
        )

    op.create_table(
        "live_session_guests",
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_session_id"], ["live_sessions.id"], name=op.f("fk_live_session_guests_live_session_id_live_sessions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_live_session_guests_user_id_users")),
        sa.PrimaryKeyConstraint("live_session_id", "user_id", name=op.f("pk_live_session_guests")),
    )
    op.create_table(
        "live_session_removals",
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_session_id"],
            ["live_sessions.id"],
            name=op.f("fk_live_session_removals_live_session_id_live_sessions"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_live_session_removals_user_id_users")),
        sa.PrimaryKeyConstraint("live_session_id", "user_id", name=op.f("pk_live_session_removals")),
    )
    op.create_table(
        "live_session_states",
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shape", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_session_id"], ["live_sessions.id"], name=op.f("fk_live_session_states_live_session_id_live_sessions")
        ),
        sa.PrimaryKeyConstraint("live_session_id", name=op.f("pk_live_session_states")),
    )
    op.create_table(
        "participations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["live_session_id"], ["live_sessions.id"], name=op.f("fk_participations_live_session_id_live_sessions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_participations_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participations")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("participations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_participations_left_at_last_seen_at"), ["left_at", "last_seen_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_participations_live_session_id_user_id"), ["live_session_id", "user_id"], unique=False
        )
        batch_op.create_index(
            "uq_participations_open",
            ["live_session_id", "user_id"],
            unique=True,
            sqlite_where=sa.text("left_at IS NULL"),
            postgresql_where=sa.text("left_at IS NULL"),
        )

    op.create_table(
        "poll_answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("poll", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("choices", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_session_id"], ["live_sessions.id"], name=op.f("fk_poll_answers_live_session_id_live_sessions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_poll_answers_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_poll_answers")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("poll_answers", schema=None) as batch_op:
        batch_op.create_index("uq_poll_answers_client_id", ["live_session_id", "user_id", "client_id"], unique=True)
        batch_op.create_index(
            "uq_poll_answers_current",
            ["live_session_id", "poll", "user_id"],
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )

    op.create_table(
        "question_votes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("question", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_session_id"], ["live_sessions.id"], name=op.f("fk_question_votes_live_session_id_live_sessions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_question_votes_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_question_votes")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("question_votes", schema=None) as batch_op:
        batch_op.create_index("uq_question_votes_client_id", ["live_session_id", "user_id", "client_id"], unique=True)
        batch_op.create_index(
            "uq_question_votes_current",
            ["live_session_id", "question", "user_id"],
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )

    op.create_table(
        "room_connections",
        sa.Column("connection_id", sa.String(length=64), nullable=False),
        sa.Column("live_session_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lease_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lease_id"], ["process_leases.id"], name=op.f("fk_room_connections_lease_id_process_leases")
        ),
        sa.ForeignKeyConstraint(
            ["live_session_id"], ["live_sessions.id"], name=op.f("fk_room_connections_live_session_id_live_sessions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_room_connections_user_id_users")),
        sa.PrimaryKeyConstraint("connection_id", "live_session_id", name=op.f("pk_room_connections")),
    )
    with op.batch_alter_table("room_connections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_room_connections_lease_id"), ["lease_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_room_connections_live_session_id_user_id"), ["live_session_id", "user_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("room_connections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_room_connections_live_session_id_user_id"))
        batch_op.drop_index(batch_op.f("ix_room_connections_lease_id"))

    op.drop_table("room_connections")
    with op.batch_alter_table("question_votes", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_question_votes_current", sqlite_where=sa.text("is_current"), postgresql_where=sa.text("is_current")
        )
        batch_op.drop_index("uq_question_votes_client_id")

    op.drop_table("question_votes")
    with op.batch_alter_table("poll_answers", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_poll_answers_current", sqlite_where=sa.text("is_current"), postgresql_where=sa.text("is_current")
        )
        batch_op.drop_index("uq_poll_answers_client_id")

    op.drop_table("poll_answers")
    with op.batch_alter_table("participations", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_participations_open",
            sqlite_where=sa.text("left_at IS NULL"),
            postgresql_where=sa.text("left_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_participations_live_session_id_user_id"))
        batch_op.drop_index(batch_op.f("ix_participations_left_at_last_seen_at"))

    op.drop_table("participations")
    op.drop_table("live_session_states")
    op.drop_table("live_session_removals")
    op.drop_table("live_session_guests")
    with op.batch_alter_table("live_session_events", schema=None) as batch_op:
        batch_op.drop_index("uq_live_session_events_client_id")
        batch_op.drop_index(
            batch_op.f("ix_live_session_events_live_session_id_line_seq_seq"),
            sqlite_where=sa.text("line_seq IS NOT NULL"),
            postgresql_where=sa.text("line_seq IS NOT NULL"),
        )

    op.drop_table("live_session_events")
    with op.batch_alter_table("content_progress", schema=None) as batch_op:
        batch_op.drop_index("uq_content_progress_content_id_user_id")

    op.drop_table("content_progress")
    with op.batch_alter_table("content_likes", schema=None) as batch_op:
        batch_op.drop_index("uq_content_likes_content_id_user_id")

    op.drop_table("content_likes")
    with op.batch_alter_table("content_comments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_content_comments_content_id_id"))

    op.drop_table("content_comments")
    with op.batch_alter_table("live_sessions", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_live_sessions_live_course_id",
            sqlite_where=sa.text("status = 'live'"),
            postgresql_where=sa.text("status = 'live'"),
        )
        batch_op.drop_index(batch_op.f("ix_live_sessions_status_scheduled_at"))
        batch_op.drop_index(batch_op.f("ix_live_sessions_host_id_status"))
        batch_op.drop_index(batch_op.f("ix_live_sessions_course_id_status"))

    op.drop_table("live_sessions")
    with op.batch_alter_table("invites", schema=None) as batch_op:
        batch_op.drop_index("uq_invites_token_hash")
        batch_op.drop_index(batch_op.f("ix_invites_course_id_email"))

    op.drop_table("invites")
    with op.batch_alter_table("enrollments", schema=None) as batch_op:
        batch_op.drop_index("uq_enrollments_course_id_user_id")
        batch_op.drop_index(batch_op.f("ix_enrollments_user_id_status"))

    op.drop_table("enrollments")
    with op.batch_alter_table("course_content", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_course_content_course_id_content_order_id"))

    op.drop_table("course_content")
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_ins_user_id"))

    op.drop_table("sign_ins")
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notifications_user_id_read_at"))
        batch_op.drop_index(batch_op.f("ix_notifications_user_id_id"))

    op.drop_table("notifications")
    with op.batch_alter_table("academy_courses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_academy_courses_status_id"))
        batch_op.drop_index(batch_op.f("ix_academy_courses_instructor_id"))

    op.drop_table("academy_courses")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index("uq_users_email")

    op.drop_table("users")
    op.drop_table("presence_counts")
    with op.batch_alter_table("process_leases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_process_leases_ended_at_renewed_at"))

    op.drop_table("process_leases")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_state_run_at"))
        batch_op.drop_index(batch_op.f("ix_jobs_kind_subject_id"))

    op.drop_table("jobs")
    with op.batch_alter_table("idempotent_answers", schema=None) as batch_op:
        batch_op.drop_index("uq_idempotent_answers_user_id_key")
        batch_op.drop_index(batch_op.f("ix_idempotent_answers_created_at"))

    op.drop_table("idempotent_answers")

"""Tasks and their status history."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None

STATUSES = ("pending", "processing", "completed", "failed", "cancelled")


def _status() -> sa.Enum:
    return sa.Enum(*STATUSES, name="taskstatus").with_variant(
        postgresql.ENUM(*STATUSES, name="taskstatus", create_type=False), "postgresql"
    )


def _json() -> Any:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        postgresql.ENUM(*STATUSES, name="taskstatus").create(op.get_bind())
    _create_tasks()
    _create_history()


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("circuit", sa.Text(), nullable=False),
        sa.Column("shots", sa.Integer(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current_status", _status(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("result", _json()),
        sa.Column("error_message", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_line", sa.Integer()),
        sa.Column("error_column", sa.Integer()),
        sa.Column("profile", _json()),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("trace_context", sa.Text()),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spent_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dispatch_due_at", sa.DateTime(timezone=True)),
        sa.Column("dispatch_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True)),
        sa.Column("lease_token", sa.Uuid()),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("task_id", name="tasks_pkey"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("idx_task_status", "tasks", ["current_status"])
    op.create_index("idx_task_submitted_at", "tasks", ["submitted_at"])
    due = sa.text("dispatch_due_at IS NOT NULL")
    op.create_index("idx_task_dispatch_due", "tasks", ["dispatch_due_at"], postgresql_where=due, sqlite_where=due)


def _create_history() -> None:
    op.create_table(
        "status_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("status", _status(), nullable=False),
        sa.Column("transitioned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notes", sa.Text()),
        sa.Column("attempt", sa.Integer()),
        sa.Column("lease_token", sa.Uuid()),
        sa.Column("worker_id", sa.Text()),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="status_history_task_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="status_history_pkey"),
    )
    op.create_index("idx_status_history_task_time", "status_history", ["task_id", "transitioned_at"])


def downgrade() -> None:
    op.drop_table("status_history")
    op.drop_table("tasks")
    if op.get_bind().dialect.name == "postgresql":
        postgresql.ENUM(name="taskstatus").drop(op.get_bind())

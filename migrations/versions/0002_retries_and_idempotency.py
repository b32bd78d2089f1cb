"""Crash budget, per-task time limit, causes in the history, idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"

DUE = sa.text("dispatch_due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("tasks", sa.Column("crashed_attempts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("tasks", sa.Column("time_limit_seconds", sa.Float()))
    op.add_column("status_history", sa.Column("cause", sa.Text()))
    op.add_column("status_history", sa.Column("duration_seconds", sa.Float()))
    _index_dispatch(["dispatch_count", "dispatch_due_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="idempotency_keys_pkey"),
    )
    op.create_index("idx_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    _index_dispatch(["dispatch_due_at"])
    op.drop_column("status_history", "duration_seconds")
    op.drop_column("status_history", "cause")
    op.drop_column("tasks", "time_limit_seconds")
    op.drop_column("tasks", "crashed_attempts")


def _index_dispatch(columns: list[str]) -> None:
    op.drop_index("idx_task_dispatch_due", "tasks")
    op.create_index("idx_task_dispatch_due", "tasks", columns, postgresql_where=DUE, sqlite_where=DUE)

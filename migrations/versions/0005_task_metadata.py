"""Names, tags, metadata and schedules of tasks; what lists go by."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"

INDEXES = {
    "idx_task_status_submitted": (["current_status", "submitted_at"], "current_status != 'processing'"),
    "idx_task_completed_at": (["current_status", "completed_at"], "completed_at IS NOT NULL"),
    "idx_task_error_code": (["error_code", "submitted_at"], "error_code IS NOT NULL"),
    "idx_task_worker": (["lease_owner", "submitted_at"], "lease_owner IS NOT NULL"),
}


def _json() -> Any:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("tasks", sa.Column("name", sa.Text()))
    op.add_column("tasks", sa.Column("tags", _json()))
    op.add_column("tasks", sa.Column("metadata", _json()))
    op.add_column("tasks", sa.Column("scheduled_for", sa.DateTime(timezone=True)))
    op.add_column("tasks", sa.Column("rerun_of", sa.Uuid()))
    op.create_table(
        "task_labels",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="task_labels_task_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "kind", "value", name="task_labels_pkey"),
    )
    op.create_index("idx_task_labels_value", "task_labels", ["kind", "value", "submitted_at", "task_id"])
    op.create_index("idx_idempotency_keys_task_id", "idempotency_keys", ["task_id"])
    for name, (columns, where) in INDEXES.items():
        op.create_index(name, "tasks", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "tasks")
    op.drop_index("idx_idempotency_keys_task_id", "idempotency_keys")
    op.drop_table("task_labels")
    for column in ("rerun_of", "scheduled_for", "metadata", "tags", "name"):
        op.drop_column("tasks", column)

"""Callbacks of tasks and projects, deliveries to them, and the secrets that sign these."""

import sqlalchemy as sa
from alembic import op

revision: str = "0038"
down_revision: str | None = "0037"

_TIME = sa.DateTime(timezone=True)
_DUE = sa.text("callback_due AND completed_at IS NOT NULL")
# Statements name this condition, and SQLite uses the index only where they are equal.
_DUE_ON_SQLITE = sa.text("callback_due = 1 AND completed_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("projects", sa.Column("callback", sa.Text()))
    op.add_column("tasks", sa.Column("callback", sa.Text()))
    op.add_column("tasks", sa.Column("callback_due", sa.Boolean()))
    op.create_index("idx_task_callback", "tasks", ["completed_at"], postgresql_where=_DUE, sqlite_where=_DUE_ON_SQLITE)
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("next_at", _TIME),
        sa.Column("give_up_at", _TIME, nullable=False),
        sa.Column("last_attempt_at", _TIME),
        sa.Column("last_status", sa.Integer()),
        sa.Column("last_error", sa.Text()),
        sa.Column("ended_at", _TIME),
        sa.PrimaryKeyConstraint("delivery_id", name="deliveries_pkey"),
    )
    op.create_index("idx_deliveries_task_id", "deliveries", ["task_id"], unique=True)
    op.create_index("idx_deliveries_project", "deliveries", ["project", "state", "created_at", "delivery_id"])
    for column in ("next_at", "ended_at"):
        present = sa.text(f"{column} IS NOT NULL")
        name = f"idx_deliveries_{column}"
        op.create_index(name, "deliveries", [column], postgresql_where=present, sqlite_where=present)
    op.create_table(
        "webhook_secrets",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("previous", sa.Text()),
        sa.Column("previous_until", _TIME),
        sa.PrimaryKeyConstraint("project", name="webhook_secrets_pkey"),
    )


def downgrade() -> None:
    op.drop_table("webhook_secrets")
    op.drop_table("deliveries")
    op.drop_index("idx_task_callback", table_name="tasks")
    op.drop_column("tasks", "callback_due")
    op.drop_column("tasks", "callback")
    op.drop_column("projects", "callback")

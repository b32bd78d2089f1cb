"""The history of statistics, by minutes."""

import sqlalchemy as sa
from alembic import op

revision: str = "0037"
down_revision: str | None = "0036"


def upgrade() -> None:
    op.create_table(
        "minutes",
        sa.Column("minute", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("workers", sa.Integer(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
    )
    op.create_table(
        "minute_figures",
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("queue", sa.Text(), primary_key=True),
        sa.Column("minute", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("processing", sa.Integer(), nullable=False),
        *_tasks_of_a_minute(),
        sqlite_with_rowid=False,
    )
    op.create_index("idx_minute_figures_minute", "minute_figures", ["minute"])
    op.create_table(
        "minute_deletions",
        sa.Column("minute", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("queue", sa.Text(), primary_key=True),
        *_tasks_of_a_minute(),
    )


def _tasks_of_a_minute() -> "list[sa.Column[int] | sa.Column[float]]":
    counts = ("submitted", "completed", "failed", "cancelled")
    seconds = ("waiting_seconds", "longest_waiting_seconds", "running_seconds", "longest_running_seconds")
    return [
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        *(sa.Column(name, sa.Float(), nullable=False) for name in seconds),
    ]


def downgrade() -> None:
    op.drop_table("minute_deletions")
    op.drop_table("minute_figures")
    op.drop_table("minutes")

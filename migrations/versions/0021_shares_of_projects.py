"""Weights of projects, what they used lately, and indexes that find the tasks of a project to claim."""

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"

_READY = "dispatch_due_at IS NOT NULL AND dispatch_count > 0"
_CLAIM_ORDER = {"idx_task_rank": _READY, "idx_task_preferred": f"{_READY} AND overtakes"}


def upgrade() -> None:
    op.add_column("projects", sa.Column("weight", sa.Float(), nullable=False, server_default="1"))
    op.create_table(
        "project_shares",
        sa.Column("queue", sa.Text(), primary_key=True),
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("used_seconds", sa.Float(), nullable=False),
    )
    op.create_table(
        "share_measurements",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
    )
    _index("queue", "project", "rank_at")


def downgrade() -> None:
    _index("queue", "rank_at")
    op.drop_table("share_measurements")
    op.drop_table("project_shares")
    op.drop_column("projects", "weight")


def _index(*columns: str) -> None:
    for name, which in _CLAIM_ORDER.items():
        where = sa.text(which)
        op.drop_index(name, table_name="tasks")
        op.create_index(name, "tasks", list(columns), postgresql_where=where, sqlite_where=where)

"""Jobs of tasks on external backends, and the backends that workers have."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0015"
down_revision: str | None = "0014"


def upgrade() -> None:
    for name in ("remote_id", "remote_status"):
        op.add_column("tasks", sa.Column(name, sa.Text()))
    where = sa.text("remote_status IS NOT NULL")
    op.create_index(
        "idx_task_remote", "tasks", ["backend", "current_status"], postgresql_where=where, sqlite_where=where
    )
    op.create_table(
        "backends",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("description", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("backends")
    op.drop_index("idx_task_remote", table_name="tasks")
    for name in ("remote_status", "remote_id"):
        op.drop_column("tasks", name)

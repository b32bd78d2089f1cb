"""Quotas of projects and of their owners, and what was used of them on a day."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0019"
down_revision: str | None = "0018"

_OWNED = "current_status = 'pending' AND owner IS NOT NULL"


def upgrade() -> None:
    op.add_column("projects", sa.Column("quotas", sa.JSON().with_variant(JSONB(), "postgresql")))
    op.create_table(
        "quota_usage",
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), primary_key=True),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shots", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("counted_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name="quota_usage_project_fkey"),
    )
    condition = sa.text(_OWNED)
    op.create_index("idx_task_owner", "tasks", ["project", "owner"], postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    op.drop_index("idx_task_owner", table_name="tasks")
    op.drop_table("quota_usage")
    op.drop_column("projects", "quotas")

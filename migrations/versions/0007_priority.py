"""The order in which waiting tasks are taken: priorities, and the ranks they come to."""

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"

_READY = "dispatch_due_at IS NOT NULL AND dispatch_count > 0"
_PREFERRED = f"{_READY} AND overtakes"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("rank_at", sa.DateTime(timezone=True)))
    op.add_column("tasks", sa.Column("overtakes", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE tasks SET rank_at = CASE WHEN scheduled_for > submitted_at THEN scheduled_for ELSE submitted_at END "
        "WHERE current_status IN ('pending', 'processing')"
    )
    for name, which in (("idx_task_rank", _READY), ("idx_task_preferred", _PREFERRED)):
        where = sa.text(which)
        op.create_index(name, "tasks", ["rank_at"], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    for name in ("idx_task_preferred", "idx_task_rank"):
        op.drop_index(name, table_name="tasks")
    for name in ("overtakes", "rank_at", "priority"):
        op.drop_column("tasks", name)

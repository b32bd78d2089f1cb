"""Kinds of tasks, and a queue for each kind."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0013"
down_revision: str | None = "0012"

_READY = "dispatch_due_at IS NOT NULL AND dispatch_count > 0"
_CLAIM_ORDER = {"idx_task_rank": _READY, "idx_task_preferred": f"{_READY} AND overtakes"}


def upgrade() -> None:
    for name in ("kind", "queue"):
        op.add_column("tasks", sa.Column(name, sa.Text(), nullable=False, server_default="simulate"))
    for name in ("target", "qir_profile", "backend"):
        op.add_column("tasks", sa.Column(name, sa.Text()))
    op.add_column("tasks", sa.Column("bitcode", sa.Boolean()))
    op.add_column("workers", sa.Column("conversion_slots", sa.Integer()))
    op.add_column("workers", sa.Column("queues", sa.JSON().with_variant(JSONB(), "postgresql")))
    for name, which in _CLAIM_ORDER.items():
        op.drop_index(name, table_name="tasks")
        _create(name, ["queue", "rank_at"], which)
    _create("idx_task_kind", ["kind", "submitted_at"], "kind <> 'simulate'")


def downgrade() -> None:
    op.drop_index("idx_task_kind", table_name="tasks")
    for name, which in _CLAIM_ORDER.items():
        op.drop_index(name, table_name="tasks")
        _create(name, ["rank_at"], which)
    for name in ("queues", "conversion_slots"):
        op.drop_column("workers", name)
    for name in ("bitcode", "backend", "qir_profile", "target", "queue", "kind"):
        op.drop_column("tasks", name)


def _create(name: str, columns: list[str], which: str) -> None:
    where = sa.text(which)
    op.create_index(name, "tasks", columns, postgresql_where=where, sqlite_where=where)

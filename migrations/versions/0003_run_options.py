"""Seed, method and shots in order: how a program is asked to be run."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("seed", sa.BigInteger()))
    op.add_column("tasks", sa.Column("method", sa.Text()))
    op.add_column("tasks", sa.Column("memory", sa.Boolean()))


def downgrade() -> None:
    op.drop_column("tasks", "memory")
    op.drop_column("tasks", "method")
    op.drop_column("tasks", "seed")

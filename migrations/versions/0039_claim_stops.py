"""Pauses of queues, and drains of workers."""

import sqlalchemy as sa
from alembic import op

revision: str = "0039"
down_revision: str | None = "0038"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "claim_pauses",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("owner", sa.Text()),
        sa.PrimaryKeyConstraint("scope", name="claim_pauses_pkey"),
    )
    op.add_column("workers", sa.Column("draining_since", moment))
    op.add_column("workers", sa.Column("drained_at", moment))


def downgrade() -> None:
    op.drop_column("workers", "drained_at")
    op.drop_column("workers", "draining_since")
    op.drop_table("claim_pauses")

"""What deleted tasks took, by project, day and owner."""

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"


def upgrade() -> None:
    op.create_table(
        "usage_days",
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("owner", sa.Text(), primary_key=True),
        sa.Column("completed", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.BigInteger(), nullable=False),
        sa.Column("shots", sa.BigInteger(), nullable=False),
        sa.Column("simulating_seconds", sa.Float(), nullable=False),
        sa.Column("processor_seconds", sa.Float(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger()),
    )


def downgrade() -> None:
    op.drop_table("usage_days")

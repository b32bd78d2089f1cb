"""What is done against errors in expectation values."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0032"
down_revision: str | None = "0031"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("mitigation", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")))


def downgrade() -> None:
    op.drop_column("tasks", "mitigation")

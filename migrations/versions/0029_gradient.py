"""The gradient that a task computes beside expectation values."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0029"
down_revision: str | None = "0028"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("gradient", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")))


def downgrade() -> None:
    op.drop_column("tasks", "gradient")

"""The outputs that a task computes beside counts, or instead of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0027"
down_revision: str | None = "0026"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("outputs", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")))


def downgrade() -> None:
    op.drop_column("tasks", "outputs")

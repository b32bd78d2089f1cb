"""The noise of a task: errors of its gates and of its measurements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0026"
down_revision: str | None = "0025"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("noise", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")))


def downgrade() -> None:
    op.drop_column("tasks", "noise")

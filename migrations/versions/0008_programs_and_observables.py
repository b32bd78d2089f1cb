"""What a program is written in, and the observables whose values are requested."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("program_format", sa.Text()))
    op.add_column("tasks", sa.Column("observables", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")))


def downgrade() -> None:
    op.drop_column("tasks", "observables")
    op.drop_column("tasks", "program_format")

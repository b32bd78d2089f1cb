"""Whether expectation values are estimated from shots, and the standard error that is aimed at."""

import sqlalchemy as sa
from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("sampled", sa.Boolean()))
    op.add_column("tasks", sa.Column("precision", sa.Float()))


def downgrade() -> None:
    op.drop_column("tasks", "precision")
    op.drop_column("tasks", "sampled")

"""Tasks that are held until they are released."""

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("hold", sa.Boolean()))
    op.add_column("tasks", sa.Column("released_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("tasks", "released_at")
    op.drop_column("tasks", "hold")

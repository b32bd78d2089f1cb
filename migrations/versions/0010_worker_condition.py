"""How many slots of a worker have a simulator, and why another has none."""

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"


def upgrade() -> None:
    op.add_column("workers", sa.Column("ready_slots", sa.Integer()))
    op.add_column("workers", sa.Column("problem", sa.Text()))


def downgrade() -> None:
    op.drop_column("workers", "problem")
    op.drop_column("workers", "ready_slots")

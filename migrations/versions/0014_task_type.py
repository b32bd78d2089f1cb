"""The kind of a task by the name of older services, for the clients of these."""

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("task_type", sa.Text()))


def downgrade() -> None:
    op.drop_column("tasks", "task_type")

"""When the job of a task was submitted to its backend, and whether a client of an older service waits for it."""

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("remote_submitted_at", sa.DateTime(timezone=True)))
    op.add_column("tasks", sa.Column("wait_for_completion", sa.Boolean()))


def downgrade() -> None:
    op.drop_column("tasks", "wait_for_completion")
    op.drop_column("tasks", "remote_submitted_at")

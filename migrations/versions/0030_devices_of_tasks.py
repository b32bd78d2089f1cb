"""The device for which a task's program is transpiled, and the digest of what that device was."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0030"
down_revision: str | None = "0029"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("device", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")))
    op.add_column("tasks", sa.Column("device_digest", sa.Text()))
    wanted = sa.text("device_digest IS NOT NULL")
    op.create_index("idx_task_device_digest", "tasks", ["device_digest"], postgresql_where=wanted, sqlite_where=wanted)


def downgrade() -> None:
    op.drop_index("idx_task_device_digest", table_name="tasks")
    op.drop_column("tasks", "device_digest")
    op.drop_column("tasks", "device")

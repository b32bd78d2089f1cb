"""Large models of noise, each stored once by its digest."""

import sqlalchemy as sa
from alembic import op

revision: str = "0036"
down_revision: str | None = "0032"


def upgrade() -> None:
    op.create_table(
        "noise_contents",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="noise_contents_pkey"),
    )
    op.create_index("idx_noise_contents_used_at", "noise_contents", ["used_at"])
    op.add_column("tasks", sa.Column("noise_digest", sa.Text()))
    wanted = sa.text("noise_digest IS NOT NULL")
    op.create_index("idx_task_noise_digest", "tasks", ["noise_digest"], postgresql_where=wanted, sqlite_where=wanted)


def downgrade() -> None:
    op.drop_index("idx_task_noise_digest", table_name="tasks")
    op.drop_column("tasks", "noise_digest")
    op.drop_table("noise_contents")

"""The audit log: who did what to what, when and from where."""

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("project", sa.Text()),
        sa.Column("target", sa.Text()),
        sa.Column("owner", sa.Text()),
        sa.Column("key_id", sa.Text()),
        sa.Column("origin", sa.Text()),
        sa.Column("notes", sa.Text()),
    )
    op.create_index("idx_audit_at", "audit", ["at"])
    op.create_index("idx_audit_project", "audit", ["project", "id"])


def downgrade() -> None:
    op.drop_table("audit")

"""Devices of projects, and their contents."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0028"
down_revision: str | None = "0027"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "device_contents",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("used_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="device_contents_pkey"),
    )
    op.create_index("idx_device_contents_used_at", "device_contents", ["used_at"])
    op.create_table(
        "devices",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("num_qubits", sa.Integer(), nullable=False),
        sa.Column("couplings", sa.Integer(), nullable=False),
        sa.Column("gates", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name="devices_project_fkey"),
        sa.ForeignKeyConstraint(["digest"], ["device_contents.digest"], name="devices_digest_fkey"),
        sa.PrimaryKeyConstraint("project", "name", name="devices_pkey"),
    )
    op.create_index("idx_devices_digest", "devices", ["digest"])


def downgrade() -> None:
    op.drop_table("devices")
    op.drop_table("device_contents")

"""The groups of those who signed in at an identity provider, and may choose among several projects."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0023"
down_revision: str | None = "0022"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("groups", sa.JSON().with_variant(JSONB(), "postgresql")))


def downgrade() -> None:
    op.drop_column("sessions", "groups")

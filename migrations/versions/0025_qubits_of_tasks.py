"""How many qubits the program of a task may declare, by the quota when it was submitted."""

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("max_qubits", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("tasks", "max_qubits")

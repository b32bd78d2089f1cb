"""The weight of a project is a number above 0: claims divide by it."""

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"

_NAME, _CHECK = "projects_weight_check", "weight > 0 AND weight <= 1000"
_WEIGHT = "weight FLOAT DEFAULT '1' NOT NULL"


def upgrade() -> None:
    op.execute(sa.text("UPDATE projects SET weight = 1 WHERE weight <= 0 OR weight > 1000"))
    if op.get_context().dialect.name == "postgresql":
        op.create_check_constraint(_NAME, "projects", _CHECK)
    else:
        _replace_column(f"{_WEIGHT} CONSTRAINT {_NAME} CHECK ({_CHECK})")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint(_NAME, "projects")
    else:
        _replace_column(_WEIGHT)


def _replace_column(definition: str) -> None:
    """SQLite adds a constraint to no column that is there; other tables refer to this one, so it is not made anew."""
    op.execute(sa.text("ALTER TABLE projects RENAME COLUMN weight TO old_weight"))
    op.execute(sa.text(f"ALTER TABLE projects ADD COLUMN {definition}"))
    op.execute(sa.text("UPDATE projects SET weight = old_weight"))
    op.execute(sa.text("ALTER TABLE projects DROP COLUMN old_weight"))

"""SQL of the health check: a write to one row, whose commit proves that the database accepts writes.

`repository.py` runs it.
"""

from functools import cache

from sqlalchemy import Connection

from ketline.db.engine.clock import now
from ketline.db.engine.dialect import Dialect, dialect_of
from ketline.db.engine.prepared import Prepared
from ketline.db.schema.tables import health_checks

_ROW = 1


def write_check(connection: Connection) -> None:
    """Writes the time of this check; its commit proves a complete write."""
    _upsert(dialect_of(connection)).run(connection, {})


@cache
def _upsert(dialect: Dialect) -> Prepared:
    return Prepared(
        dialect.insert(health_checks)
        .values(id=_ROW, checked_at=now())
        .on_conflict_do_update(index_elements=[health_checks.c.id], set_={"checked_at": now()})
        .returning(health_checks.c.id)
    )

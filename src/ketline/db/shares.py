"""Measures each project's recent use of slots; every process with a dispatcher runs it at intervals.

Claims only read it, in `tasks.turns`: no claim waits for another because of it. One process measures at a time, from
the attempts that ended since the last time. A measurement that is lost costs some precision of the order, no task.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from ketline.db.engine.clock import now, seconds_between
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import Dialect, dialect_of
from ketline.db.schema.statuses import has_status
from ketline.db.schema.tables import project_shares, share_measurements, tasks
from ketline.domain.status import TaskStatus

INTERVAL_SECONDS = 1.0
# The age at which a project's use counts for half.
HALF_LIFE_SECONDS = 60.0
# After a pause, attempts that ended earlier are not counted: the processes were down, or nothing ran.
MAX_SECONDS = 60.0
MIN_SECONDS = 0.1

_ID = 1
_ENDED = (TaskStatus.COMPLETED, TaskStatus.FAILED)


@dataclass(frozen=True, slots=True)
class SqlProjectShares:
    """The recent use of slots by projects, in seconds that count less the longer ago they were."""

    database: Database

    async def measure(self) -> None:
        """Adds the attempts that ended since the last measurement, unless another process has just done so.

        Raises:
            DatabaseUnavailable: nothing was added; the next measurement does.
        """
        await self.database.write(_measure)


def _measure(connection: Connection) -> None:
    passed = seconds_between(share_measurements.c.measured_at, now()).label("passed")
    last = select(now().label("at"), passed).where(share_measurements.c.id == _ID).with_for_update(skip_locked=True)
    row = connection.execute(last).one_or_none()
    if row is None:
        first = dialect_of(connection).insert(share_measurements).values(id=_ID, measured_at=now())
        connection.execute(first.on_conflict_do_nothing())
    elif row.passed < 0:
        _add(connection, row.at, INTERVAL_SECONDS)  # the clock was set back
    elif row.passed >= INTERVAL_SECONDS / 2:
        _add(connection, row.at, min(row.passed, MAX_SECONDS))


def _add(connection: Connection, at: datetime, seconds: float) -> None:
    used = connection.execute(_select_used(at, seconds)).all()
    if not used and connection.execute(select(project_shares.c.queue).limit(1)).one_or_none() is None:
        return  # an idle service writes nothing
    connection.execute(update(share_measurements).values(measured_at=at))
    less = project_shares.c.used_seconds * 0.5 ** (seconds / HALF_LIFE_SECONDS)  # guard: shares.decay
    connection.execute(update(project_shares).values(used_seconds=less))
    connection.execute(delete(project_shares).where(project_shares.c.used_seconds < MIN_SECONDS))
    if used:
        connection.execute(_upsert(dialect_of(connection)), [_values(row) for row in used])


def _select_used(at: datetime, seconds: float) -> Any:
    used = func.sum(seconds_between(tasks.c.claimed_at, tasks.c.completed_at)).label("used_seconds")
    since = at - timedelta(seconds=seconds)  # guard: shares.once
    ended = (has_status(_ENDED), tasks.c.completed_at > since, tasks.c.completed_at <= at)
    return select(tasks.c.queue, tasks.c.project, used).where(*ended).group_by(tasks.c.queue, tasks.c.project)


def _values(row: Row[Any]) -> dict[str, object]:
    return {"bound_queue": row.queue, "bound_project": row.project, "bound_used": max(0.0, row.used_seconds or 0.0)}


def _upsert(dialect: Dialect) -> Any:
    columns: dict[str, Any] = {name: bindparam(f"bound_{name}") for name in ("queue", "project")}
    into = dialect.insert(project_shares).values(**columns, used_seconds=bindparam("bound_used"))
    return into.on_conflict_do_update(
        index_elements=[project_shares.c.queue, project_shares.c.project],
        set_={"used_seconds": project_shares.c.used_seconds + into.excluded.used_seconds},
    )

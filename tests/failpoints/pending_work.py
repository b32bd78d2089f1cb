"""Whether the loops of the protocol would find something to do now."""

from sqlalchemy import ColumnElement, Connection, select

from ketline.db.engine.clock import now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import share_measurements, tasks
from ketline.domain.status import TaskStatus


async def any_due(database: Database) -> bool:
    return await _any(database, tasks.c.dispatch_count == 0, tasks.c.dispatch_due_at <= now())


async def any_overdue(database: Database) -> bool:
    return await _any(database, tasks.c.dispatch_count > 0, tasks.c.dispatch_due_at <= now())


async def any_expired(database: Database) -> bool:
    return await _any(database, tasks.c.current_status == TaskStatus.PROCESSING, tasks.c.lease_expires_at < now())


async def any_unmeasured(database: Database) -> bool:
    measured = select(share_measurements.c.measured_at).scalar_subquery()
    ended = tasks.c.current_status.in_([TaskStatus.COMPLETED, TaskStatus.FAILED])
    return await _any(database, ended, tasks.c.completed_at > measured)


async def _any(database: Database, *conditions: ColumnElement[bool]) -> bool:
    def work(connection: Connection) -> bool:
        return connection.execute(select(tasks.c.task_id).where(*conditions).limit(1)).first() is not None

    return await database.read(work)

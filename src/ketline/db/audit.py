"""The audit log on a database; repositories and stores write an entry in their own transactions by `write_entry`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.engine.prepared import Prepared
from ketline.db.schema.tables import audit
from ketline.domain.access.audit import Actor, AuditEntry, AuditPage, AuditRecord
from ketline.domain.access.principals import Owner, ProjectName

_GIVEN = ("action", "project", "target", "owner", "key_id", "origin", "notes")
_INSERT = Prepared(
    insert(audit).values({"at": now(), **{name: bindparam(name, type_=audit.c[name].type) for name in _GIVEN}}).inline()
)


def write_entry(connection: Connection, record: AuditRecord) -> None:
    """Appends an entry in the transaction of what it records."""
    actor = record.actor
    values = (str(record.action), record.project, record.target, actor.owner, actor.key_id, actor.origin, record.notes)
    _INSERT.run(connection, dict(zip(_GIVEN, values, strict=True)))


@dataclass(frozen=True, slots=True)
class SqlAuditLog:
    """The `AuditLog` on a database."""

    database: Database

    async def add(self, record: AuditRecord) -> None:
        await self.database.autocommit(lambda connection: write_entry(connection, record))

    async def find(self, project: ProjectName | None, before: int | None, limit: int) -> AuditPage:
        wanted = [] if project is None else [audit.c.project == project]
        earlier = [] if before is None else [audit.c.id < before]
        statement = select(audit).where(*wanted, *earlier).order_by(audit.c.id.desc()).limit(limit + 1)
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        entries = [_to_entry(row) for row in rows[:limit]]
        return AuditPage(entries=entries, next=entries[-1].number if len(rows) > limit else None)

    async def delete_older(self, age: timedelta, limit: int) -> int:
        old = select(audit.c.id).where(audit.c.at < from_now(-age.total_seconds())).order_by(audit.c.at).limit(limit)
        statement = delete(audit).where(audit.c.id.in_(old))
        return await self.database.write(lambda connection: connection.execute(statement).rowcount)


def _to_entry(row: Row[Any]) -> AuditEntry:
    record = AuditRecord(
        action=row.action,
        actor=Actor(owner=Owner(row.owner) if row.owner else None, key_id=row.key_id, origin=row.origin),
        project=ProjectName(row.project) if row.project else None,
        target=row.target,
        notes=row.notes,
    )
    return AuditEntry(number=row.id, at=row.at, record=record)

"""The sessions of browsers on a database. Used by `service/access/sessions.py`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from ketline.db.audit import write_entry
from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import api_keys, sessions
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import Owner, Principal, ProjectName, Role


@dataclass(frozen=True, slots=True)
class SqlSessionStore:
    """The `SessionStore` on a database."""

    database: Database

    async def add(self, digest: bytes, principal: Principal, lifetime: timedelta, actor: Actor) -> None:
        values = {
            "digest": digest,
            "key_id": principal.key_id,
            "project": principal.project,
            "role": principal.role.value,
            "owner": principal.owner,
            "groups": None if principal.groups is None else list(principal.groups),
            "expires_at": from_now(lifetime.total_seconds()),
        }

        record = AuditRecord(action=Action.SESSION_STARTED, actor=actor, project=principal.project)
        stored = select(sessions.c.digest).where(sessions.c.digest == digest)

        def work(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= now()))
            # An earlier run of the transaction may have committed: digests are those of random tokens.
            if connection.execute(stored).one_or_none() is None:
                connection.execute(insert(sessions).values(values))
                write_entry(connection, record)

        await self.database.write(work)

    async def find(self, digest: bytes) -> Principal | None:
        key = api_keys.c
        key_is_valid = key.key_id.is_not(None) & or_(key.expires_at.is_(None), key.expires_at > now())
        statement = (
            select(sessions, key.expires_at.label("key_expires_at"))
            .join_from(sessions, api_keys, sessions.c.key_id == key.key_id, isouter=True)
            .where(sessions.c.digest == digest, sessions.c.expires_at > now())
            .where(or_(sessions.c.key_id.is_(None), key_is_valid))
        )
        row = await self.database.read(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else _to_principal(row)

    async def move(self, digest: bytes, new: bytes, project: ProjectName, role: Role) -> bool:
        statement = (
            update(sessions)
            .where(
                sessions.c.digest == digest,  # guard: session.move_one
                sessions.c.expires_at > now(),  # guard: session.move_ended
            )
            .values(
                digest=new,  # guard: session.move_token
                project=project,
                role=role.value,
            )
        )
        moved = select(sessions.c.digest).where(sessions.c.digest == new)

        def work(connection: Connection) -> bool:
            # An earlier run of the statement may have been committed: `new` is the digest of a random token.
            return (
                connection.execute(statement).rowcount > 0
                or connection.execute(moved).one_or_none() is not None  # guard: session.own_move
            )

        return await self.database.autocommit(work)

    async def end(self, digest: bytes, actor: Actor) -> None:
        statement = delete(sessions).where(sessions.c.digest == digest).returning(sessions.c.project)

        def work(connection: Connection) -> None:
            row = connection.execute(statement).one_or_none()
            if row is not None:
                record = AuditRecord(action=Action.SESSION_ENDED, actor=actor, project=ProjectName(row.project))
                write_entry(connection, record)

        await self.database.write(work)


def _to_principal(row: Row[Any]) -> Principal:
    ends = [end for end in (row.expires_at, row.key_expires_at) if end is not None]
    return Principal(
        project=ProjectName(row.project),
        role=Role(row.role),
        owner=None if row.owner is None else Owner(row.owner),
        key_id=row.key_id,
        groups=None if row.groups is None else tuple(row.groups),
        expires_at=min(ends),
    )

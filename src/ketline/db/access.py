"""API keys and projects on a database. Used by the services of `service/access`."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, case, insert, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from ketline.db.audit import write_entry
from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.schema.quotas import quotas_column, to_quotas
from ketline.db.schema.tables import api_keys, projects
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import ApiKey, Owner, Project, ProjectName, Role
from ketline.domain.access.quotas import ProjectQuotas
from ketline.domain.errors import KeyUnknown, ProjectExists, ProjectUnknown

_KEY = [column for column in api_keys.c if column.name != "digest"]


@dataclass(frozen=True, slots=True)
class SqlKeyStore:
    """The `KeyStore` on a database."""

    database: Database

    async def add(self, key: ApiKey, digest: bytes, lifetime: timedelta | None, actor: Actor) -> ApiKey:
        record = _key_record(Action.KEY_CREATED, actor, key, key.role)

        def work(connection: Connection) -> ApiKey:
            _require_project(connection, key.project)
            return _insert_once(connection, key, digest, lifetime, record)

        return await self.database.write(work)

    async def replace(
        self, old: str, overlap: timedelta, key: ApiKey, digest: bytes, lifetime: timedelta | None, actor: Actor
    ) -> ApiKey:
        record = replace(_key_record(Action.KEY_ROTATED, actor, key, f"replaced by {key.key_id}"), target=old)

        def work(connection: Connection) -> ApiKey:
            _found(old, connection.execute(_end(old, overlap)).one_or_none())
            return _insert_once(connection, key, digest, lifetime, record)

        return await self.database.write(work)

    async def find(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        valid = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now())
        statement = select(api_keys).where(api_keys.c.key_id == key_id, valid)
        row = await self.database.read(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else (_to_key(row), row.digest)

    async def get(self, key_id: str) -> ApiKey:
        statement = select(*_KEY).where(api_keys.c.key_id == key_id)
        return _found(key_id, await self.database.read(lambda connection: connection.execute(statement).one_or_none()))

    async def keys(self, project: ProjectName | None = None) -> Sequence[ApiKey]:
        wanted = [] if project is None else [api_keys.c.project == project]
        statement = select(*_KEY).where(*wanted).order_by(api_keys.c.created_at, api_keys.c.key_id)
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        return [_to_key(row) for row in rows]

    async def revoke(self, key_id: str, actor: Actor) -> ApiKey:
        def work(connection: Connection) -> ApiKey:
            key = _found(key_id, connection.execute(_end(key_id, timedelta())).one_or_none())
            write_entry(connection, _key_record(Action.KEY_REVOKED, actor, key))
            return key

        return await self.database.write(work)

    async def touch(self, key_id: str) -> None:
        used = update(api_keys).where(api_keys.c.key_id == key_id).values(last_used_at=now())

        def work(connection: Connection) -> None:
            connection.execute(used)

        await self.database.autocommit(work)


@dataclass(frozen=True, slots=True)
class SqlProjectStore:
    """The `ProjectStore` on a database."""

    database: Database

    async def add(self, name: ProjectName, actor: Actor) -> Project:
        statement = insert(projects).values(name=name, created_at=now()).returning(*projects.c)
        record = AuditRecord(action=Action.PROJECT_CREATED, actor=actor, project=name, target=name)
        runs = itertools.count()

        def work(connection: Connection) -> Project:
            repeated = next(runs) > 0
            row = connection.execute(select(projects).where(projects.c.name == name)).one_or_none()
            if row is not None and not repeated:
                raise ProjectExists(f"There is a project {name} already.")
            if row is None:
                row = connection.execute(statement).one()
                write_entry(connection, record)
            # If a repeated transaction finds the row, its first run may have stored it.
            return _to_project(row)

        return await self.database.write(work)

    async def get(self, name: ProjectName) -> Project:
        return await self.database.read(lambda connection: _require_project(connection, name))

    async def projects(self) -> Sequence[Project]:
        statement = select(projects).order_by(projects.c.name)
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        return [_to_project(row) for row in rows]

    async def change(
        self,
        name: ProjectName,
        *,
        quotas: ProjectQuotas | None = None,
        weight: float | None = None,
        callback: str | None = None,
        actor: Actor,
    ) -> Project:
        values: dict[str, Any] = {} if quotas is None else {"quotas": quotas_column(quotas)}
        values |= {} if weight is None else {"weight": weight}
        values |= {} if callback is None else {"callback": callback or None}
        notes = " and ".join(values)
        record = AuditRecord(action=Action.PROJECT_CHANGED, actor=actor, project=name, target=name, notes=notes)

        def work(connection: Connection) -> Project:
            if values:
                connection.execute(update(projects).where(projects.c.name == name).values(values))
            project = _require_project(connection, name)
            if values:
                write_entry(connection, record)
            return project

        return await self.database.write(work)

    async def quotas(self) -> Mapping[ProjectName, ProjectQuotas]:
        statement = select(projects.c.name, projects.c.quotas).where(projects.c.quotas.is_not(None))
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        return {ProjectName(row.name): to_quotas(row.quotas) for row in rows}

    async def with_callbacks(self) -> Collection[ProjectName]:
        statement = select(projects.c.name).where(projects.c.callback.is_not(None))
        rows = await self.database.read(lambda connection: connection.execute(statement).scalars().all())
        return frozenset(map(ProjectName, rows))


def _insert_once(
    connection: Connection, key: ApiKey, digest: bytes, lifetime: timedelta | None, record: AuditRecord
) -> ApiKey:
    """Stores a key and the record, unless an earlier run of the transaction has committed them: ids are random."""
    known = connection.execute(select(*_KEY).where(api_keys.c.key_id == key.key_id)).one_or_none()
    if known is not None:
        return _to_key(known)
    values = {
        "key_id": key.key_id,
        "digest": digest,
        "project": key.project,
        "role": key.role.value,
        "owner": key.owner,
        "name": key.name,
        "created_at": now(),
        "expires_at": None if lifetime is None else from_now(lifetime.total_seconds()),
    }
    write_entry(connection, record)
    return _to_key(connection.execute(insert(api_keys).values(values).returning(*_KEY)).one())


def _end(key_id: str, after: timedelta) -> ReturningUpdate[Any]:
    """Ends a key after some time, unless it ends before."""
    end = from_now(after.total_seconds())
    sooner = case((api_keys.c.expires_at <= end, api_keys.c.expires_at), else_=end)
    return update(api_keys).where(api_keys.c.key_id == key_id).values(expires_at=sooner).returning(*_KEY)


def _key_record(action: Action, actor: Actor, key: ApiKey, notes: str | None = None) -> AuditRecord:
    return AuditRecord(action=action, actor=actor, project=key.project, target=key.key_id, notes=notes)


def _require_project(connection: Connection, name: ProjectName) -> Project:
    row = connection.execute(select(projects).where(projects.c.name == name)).one_or_none()
    if row is None:
        raise ProjectUnknown(f"There is no project {name}; `ketline projects create {name}` creates it.")
    return _to_project(row)


def _found(key_id: str, row: Row[Any] | None) -> ApiKey:
    if row is None:
        raise KeyUnknown(f"There is no key {key_id}; `ketline keys list` lists all keys.")
    return _to_key(row)


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        project=ProjectName(row.project),
        role=Role(row.role),
        owner=Owner(row.owner),
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _to_project(row: Row[Any]) -> Project:
    quotas = to_quotas(row.quotas)
    return Project(
        name=ProjectName(row.name),
        created_at=row.created_at,
        weight=row.weight,
        quotas=quotas,
        callback=row.callback,
    )

"""The secrets that sign messages, one for each project, on a database; a project gets its own when it needs one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, select, update

from ketline.db.audit import write_entry
from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import dialect_of
from ketline.db.schema.tables import webhook_secrets
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import ProjectName
from ketline.domain.webhooks.deliveries import SigningSecret, new_secret


@dataclass(frozen=True, slots=True)
class SqlSecretStore:
    """The `SecretStore` on a database."""

    database: Database

    async def get(self, project: ProjectName) -> SigningSecret:
        return await self.database.write(lambda connection: _to_secret(_ensure(connection, project)))

    async def rotate(self, project: ProjectName, secret: str, overlap: timedelta, actor: Actor) -> SigningSecret:
        notes = f"the previous one is valid for {overlap.total_seconds():g} s"
        record = AuditRecord(
            action=Action.WEBHOOK_SECRET_ROTATED, actor=actor, project=project, target=project, notes=notes
        )
        replaced = (
            update(webhook_secrets)
            .where(webhook_secrets.c.project == project)
            .values(
                previous=webhook_secrets.c.secret,
                previous_until=from_now(overlap.total_seconds()),
                secret=secret,
                created_at=now(),
            )
        )

        def work(connection: Connection) -> SigningSecret:
            # If a repeated transaction finds the secret, its first run may have stored it.
            if _ensure(connection, project).secret != secret:
                connection.execute(replaced)
                write_entry(connection, record)
            return _to_secret(_ensure(connection, project))

        return await self.database.write(work)


def valid_secrets(connection: Connection, projects: Collection[ProjectName]) -> Mapping[ProjectName, Sequence[str]]:
    """Gives the secrets to sign with for each of these projects, the newest first."""
    return {project: _valid(_ensure(connection, project)) for project in sorted(projects)}


def _ensure(connection: Connection, project: ProjectName) -> Row[Any]:
    row = connection.execute(_select(project)).one_or_none()
    if row is not None:
        return row
    values = {"project": project, "secret": new_secret(), "created_at": now()}
    # A concurrent transaction may create it first.
    connection.execute(dialect_of(connection).insert(webhook_secrets).values(values).on_conflict_do_nothing())
    return connection.execute(_select(project)).one()


def _select(project: ProjectName) -> Select[Any]:
    """Selects the secret of a project, with the previous one only as long as that is valid."""
    valid = and_(webhook_secrets.c.previous.is_not(None), webhook_secrets.c.previous_until > now())
    return select(
        webhook_secrets.c.project,
        webhook_secrets.c.secret,
        webhook_secrets.c.created_at,
        case((valid, webhook_secrets.c.previous)).label("previous"),
        case((valid, webhook_secrets.c.previous_until)).label("previous_until"),
    ).where(webhook_secrets.c.project == project)


def _valid(row: Row[Any]) -> Sequence[str]:
    return [row.secret] if row.previous is None else [row.secret, row.previous]


def _to_secret(row: Row[Any]) -> SigningSecret:
    return SigningSecret(
        project=ProjectName(row.project),
        secret=row.secret,
        created_at=row.created_at,
        previous=row.previous,
        previous_until=row.previous_until,
    )

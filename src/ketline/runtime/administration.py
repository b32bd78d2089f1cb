"""Opens the keys, projects and audit log of a service on its database, for `ketline keys`, `projects` and `audit`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ketline.config import Settings
from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.audit import SqlAuditLog
from ketline.db.engine.database import open_database
from ketline.db.webhooks.secrets import SqlSecretStore
from ketline.ports.access import ProjectStore
from ketline.ports.audit import AuditLog
from ketline.runtime.database import migrate
from ketline.runtime.embedded import database_in
from ketline.service.access.keys import ManageKeys
from ketline.service.access.webhook_secrets import ManageWebhookSecrets


@dataclass(frozen=True, slots=True)
class Administration:
    """What operators manage without the API; usable while the context that opened it is open."""

    keys: ManageKeys
    projects: ProjectStore
    audit: AuditLog
    webhook_secrets: ManageWebhookSecrets


@asynccontextmanager
async def open_administration(settings: Settings, *, embedded: bool) -> AsyncIterator[Administration]:
    """Open the database of the embedded service, which may be running and is migrated first, or of the distributed one.

    Raises:
        ConfigurationInvalid: the data directory cannot be used.
        DatabaseUnavailable: the database file cannot be opened or migrated.
    """
    url = database_in(settings.data_dir) if embedded else settings.database_url.get_secret_value()
    if embedded:
        await migrate(url)
    async with open_database(url) as database:
        projects = SqlProjectStore(database)
        yield Administration(
            ManageKeys(SqlKeyStore(database)),
            projects,
            SqlAuditLog(database),
            ManageWebhookSecrets(SqlSecretStore(database), projects),
        )

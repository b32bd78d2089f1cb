"""Opens what operators manage on the database of a service, for `ketline keys`, `projects`, `audit` and `admin`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ketline.config import Settings
from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.audit import SqlAuditLog
from ketline.db.claim_controls import SqlClaimControls
from ketline.db.engine.database import open_database
from ketline.db.tasks.interventions import SqlTaskInterventions
from ketline.db.webhooks.secrets import SqlSecretStore
from ketline.db.workers import SqlWorkerRegistry
from ketline.ports.access.access import ProjectStore
from ketline.ports.access.audit import AuditLog
from ketline.ports.operations.claim_controls import ClaimControls
from ketline.ports.operations.interventions import TaskInterventions
from ketline.ports.operations.workers import WorkerRegistry
from ketline.runtime.data_directory import database_in, require_database
from ketline.runtime.database import direct_url, migrate, open_notifier
from ketline.runtime.retention import vacuum_of
from ketline.service.access.keys import ManageKeys
from ketline.service.access.webhook_secrets import ManageWebhookSecrets
from ketline.service.vacuum import VacuumDatabase


@dataclass(frozen=True, slots=True)
class Administration:
    """Use cases of operators without the API; usable while the context that opened it is open."""

    keys: ManageKeys
    projects: ProjectStore
    audit: AuditLog
    webhook_secrets: ManageWebhookSecrets
    claim_controls: ClaimControls
    interventions: TaskInterventions
    workers: WorkerRegistry
    vacuum: VacuumDatabase


@asynccontextmanager
async def open_administration(
    settings: Settings, *, embedded: bool, create: bool = True
) -> AsyncIterator[Administration]:
    """Open the database of the embedded service, which may be running and is migrated first, or of the distributed one.

    Raises:
        ConfigurationInvalid: the data directory cannot be used, or has no database, and none is to be created.
        DatabaseUnavailable: the database file cannot be opened or migrated.
    """
    if embedded and not create:
        require_database(settings.data_dir)
    url = database_in(settings.data_dir) if embedded else settings.database_url.get_secret_value()
    direct = url if embedded else direct_url(settings)
    if embedded:
        await migrate(url)
    async with open_database(url) as database, open_notifier(database) as notifier:
        projects = SqlProjectStore(database)
        yield Administration(
            ManageKeys(SqlKeyStore(database)),
            projects,
            SqlAuditLog(database),
            ManageWebhookSecrets(SqlSecretStore(database), projects),
            SqlClaimControls(database),
            SqlTaskInterventions(database, notifier),
            SqlWorkerRegistry(database),
            vacuum_of(settings, database, direct),
        )

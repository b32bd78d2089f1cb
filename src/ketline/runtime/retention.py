"""What is deleted when it has become too old, by `runtime/upkeep.py` all the time and by a vacuum at once."""

from datetime import timedelta

from ketline.config import Settings
from ketline.db.audit import SqlAuditLog
from ketline.db.device_contents import SqlDeviceContents
from ketline.db.engine.connector import Connector
from ketline.db.engine.database import Database
from ketline.db.history import SqlStatisticsHistory
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.noise_contents import SqlNoiseContents
from ketline.db.storage import PostgresqlStorage, SqliteStorage, sqlite_path
from ketline.db.webhooks.deliveries import SqlDeliveryQueue
from ketline.runtime.clock import SystemClock
from ketline.service.upkeep.retention import Retention
from ketline.service.vacuum import VacuumDatabase

_FOR_EVER_DAYS = 36_500


def retention_of(settings: Settings, database: Database) -> Retention:
    """The retention of ended tasks and of the audit log by the limits of the settings."""
    return Retention(
        SqlTaskCatalogue(database),
        SystemClock(),
        age=timedelta(days=settings.retain_days) if settings.retain_days else None,
        most=settings.retain_tasks or None,
        audit=SqlAuditLog(database),
        audit_age=timedelta(days=settings.audit_retain_days) if settings.audit_retain_days else None,
        contents=SqlDeviceContents(database),
        noise=SqlNoiseContents(database),
        history=SqlStatisticsHistory(database),
        # Minutes of deleted tasks are deleted in any case.
        history_age=timedelta(days=settings.history_retain_days or _FOR_EVER_DAYS),
        deliveries=SqlDeliveryQueue(database),
        delivery_age=timedelta(days=settings.webhook_retain_days),
    )


def vacuum_of(settings: Settings, database: Database, url: str) -> VacuumDatabase:
    """The vacuum of an open database, which is at this URL without a pooler."""
    path = sqlite_path(url)
    storage = PostgresqlStorage(Connector(url)) if path is None else SqliteStorage(path)
    retention = retention_of(settings, database)
    return VacuumDatabase(retention.apply, storage, SqlAuditLog(database), SystemClock())

"""The upkeep loops of every API and worker process: dispatcher, reaper, retention, shares, recorder, and webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from importlib.metadata import version
from random import SystemRandom

from ketline.config import Settings
from ketline.db.audit import SqlAuditLog
from ketline.db.device_contents import SqlDeviceContents
from ketline.db.engine.connector import Connector
from ketline.db.engine.database import Database
from ketline.db.history import SqlStatisticsHistory
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.noise_contents import SqlNoiseContents
from ketline.db.shares import INTERVAL_SECONDS, SqlProjectShares
from ketline.db.storage import PostgresqlStorage, SqliteStorage, sqlite_path
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.webhooks.deliveries import SqlDeliveryQueue
from ketline.domain.webhooks.callback_url import CallbackRule
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.ports.tasks.queue import TaskPublisher
from ketline.ports.webhooks import DeliveryQueue
from ketline.runtime.background import running
from ketline.runtime.clock import SystemClock
from ketline.runtime.metrics import measure_lag
from ketline.service.loop import Loop
from ketline.service.upkeep.contact import DatabaseContact
from ketline.service.upkeep.deliveries import DeliverMessages
from ketline.service.upkeep.dispatcher import Dispatcher
from ketline.service.upkeep.reaper import Reaper
from ketline.service.upkeep.recorder import LEAST_DELAY_SECONDS, MOST_DELAY_SECONDS, Recorder
from ketline.service.upkeep.retention import Retention
from ketline.service.vacuum import VacuumDatabase
from ketline.webhooks.network import SystemResolver
from ketline.webhooks.sender import HttpCallbackSender

FOR_EVER_DAYS = 36_500


@asynccontextmanager
async def open_upkeep(
    settings: Settings,
    repository: SqlTaskRepository,
    publisher: TaskPublisher,
    contact: DatabaseContact,
    metrics: Metrics,
    tracing: Tracing = NO_TRACING,
) -> AsyncIterator[Dispatcher]:
    """Run the upkeep loops while the context is open; yields the dispatcher."""
    clock = SystemClock()
    dispatcher = Dispatcher(
        repository, publisher, clock, settings.dispatch_interval_s, tracing=tracing, metrics=metrics
    )
    reaper = Reaper(
        repository,
        dispatcher.nudge,
        clock,
        settings.reap_interval_s,
        contact,
        tracing=tracing,
        metrics=metrics,
    )
    history = SqlStatisticsHistory(repository.database)
    # At random, so that processes which look whether a minute is recorded mostly find it.
    delay = SystemRandom().uniform(LEAST_DELAY_SECONDS, MOST_DELAY_SECONDS)
    recorder = Recorder(history, clock, delay_seconds=delay)
    queue = SqlDeliveryQueue(repository.database)
    retention = retention_of(settings, repository.database)
    shares = SqlProjectShares(repository.database)
    measuring = Loop(
        shares.measure,
        INTERVAL_SECONDS,
        delayed="shares.delayed",
        crashed="shares.crashed",
        sleep=clock.sleep,
        quiet=True,
    )
    async with running(
        dispatcher.run(),
        reaper.run(),  # guard: reaper
        retention.run(),
        measuring.run(),
        measure_lag(metrics),
        recorder.run(),
        _deliver(settings, queue, clock, metrics),
    ):
        yield dispatcher


async def _deliver(settings: Settings, queue: DeliveryQueue, clock: Clock, metrics: Metrics) -> None:
    """Deliver messages to callbacks until cancelled."""
    timeout_seconds, agent = settings.webhook_timeout_s, f"ketline/{version('ketline')}"
    with closing(SystemResolver()) as resolve:
        sender = HttpCallbackSender(CallbackRule(settings.webhook_networks()), resolve, timeout_seconds, agent)
        timeout = timedelta(seconds=timeout_seconds)
        await DeliverMessages(queue, sender, clock, settings.webhook_concurrency, timeout, metrics=metrics).run()


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
        history_age=timedelta(days=settings.history_retain_days or FOR_EVER_DAYS),
        deliveries=SqlDeliveryQueue(database),
        delivery_age=timedelta(days=settings.webhook_retain_days),
    )


def vacuum_of(settings: Settings, database: Database, url: str) -> VacuumDatabase:
    """The vacuum of an open database, which is at this URL without a pooler."""
    path = sqlite_path(url)
    storage = PostgresqlStorage(Connector(url)) if path is None else SqliteStorage(path)
    retention = retention_of(settings, database)
    return VacuumDatabase(retention.apply, storage, SqlAuditLog(database), SystemClock())


def database_contact(settings: Settings, *, steady_at_start: bool = False) -> DatabaseContact:
    """The contact with the database that the reaper and the worker of one process share."""
    return DatabaseContact(SystemClock(), timedelta(seconds=settings.lease_s), steady_at_start)

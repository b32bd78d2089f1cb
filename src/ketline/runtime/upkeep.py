"""The upkeep loops of every API and worker process: dispatcher, reaper, retention, shares, recorder, and webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from importlib.metadata import version
from random import SystemRandom

from ketline.config import Settings
from ketline.db.history import SqlStatisticsHistory
from ketline.db.shares import INTERVAL_SECONDS, SqlProjectShares
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
from ketline.runtime.retention import retention_of
from ketline.service.loop import Loop
from ketline.service.upkeep.contact import DatabaseContact
from ketline.service.upkeep.deliveries import DeliverMessages
from ketline.service.upkeep.dispatcher import Dispatcher
from ketline.service.upkeep.reaper import Reaper
from ketline.service.upkeep.recorder import MAX_DELAY_SECONDS, MIN_DELAY_SECONDS, Recorder
from ketline.webhooks.network import SystemResolver
from ketline.webhooks.sender import HttpCallbackSender


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
    delay = SystemRandom().uniform(MIN_DELAY_SECONDS, MAX_DELAY_SECONDS)
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


def database_contact(settings: Settings, *, steady_at_start: bool = False) -> DatabaseContact:
    """The contact with the database that the reaper and the worker of one process share."""
    return DatabaseContact(SystemClock(), timedelta(seconds=settings.lease_s), steady_at_start)

"""Opens the parts of a worker, for `ketline worker` and for the embedded service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.metadata import version

import structlog

from ketline.backends.registry import Backends
from ketline.config import Settings
from ketline.db.backends import SqlBackendRegistry
from ketline.db.claim_controls import SqlClaimControls
from ketline.db.device_contents import SqlDeviceContents
from ketline.db.engine.database import Database
from ketline.db.noise_contents import SqlNoiseContents
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.attempts.worker import WorkerIdentity
from ketline.domain.ids import WorkerId
from ketline.domain.operations.metrics import SLOTS
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from ketline.execution.parent.admission import Admission, ShortProgramsOnly
from ketline.execution.parent.counts import SimulatorCounts
from ketline.execution.parent.gpu import require_gpu
from ketline.execution.parent.runner import ChildRunnerFactory
from ketline.execution.sandbox import protections
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics, Reading
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.ports.operations.workers import BackendRegistry
from ketline.ports.tasks.queue import TaskConsumer
from ketline.ports.tasks.repositories import RemoteAttempts
from ketline.ports.tasks.runner import RunnerFactory
from ketline.runtime.backends import open_backends
from ketline.runtime.background import running
from ketline.runtime.clock import SystemClock
from ketline.runtime.connections import compared_connections, worker_need
from ketline.runtime.database import open_repository
from ketline.runtime.limits import execution_limits, short_program_limits
from ketline.runtime.metrics import open_scrape, process_metrics
from ketline.runtime.queue import open_consumer, open_publisher
from ketline.runtime.tracing import open_tracing
from ketline.runtime.upkeep import database_contact, open_upkeep
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.attempts.deferrals import Deferrals
from ketline.service.claim_gate import ClaimGate, FollowStops
from ketline.service.health.check import CheckHealth
from ketline.service.health.heartbeat import Heartbeat
from ketline.service.health.scrape import Scrape
from ketline.service.health.simulators import SimulatorStatus
from ketline.service.task_devices import DeviceTexts
from ketline.service.task_noise import TaskNoise
from ketline.service.tasks.submission import Outbox
from ketline.service.upkeep.contact import DatabaseContact

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """The open parts from which `cli.serve` builds a `Worker`."""

    consumer: TaskConsumer
    runners: RunnerFactory
    process: ProcessTask
    clock: Clock
    health: CheckHealth
    simulators: SimulatorStatus
    short_runners: RunnerFactory | None
    conversion_runners: RunnerFactory
    backends: Backends
    repository: RemoteAttempts
    backend_registry: BackendRegistry
    outbox: Outbox
    scrape: Scrape
    gate: ClaimGate


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncIterator[WorkerParts]:
    """Open the parts of a worker process; works also while the database or the broker is down.

    Raises:
        ConfigurationInvalid: it is to simulate on a GPU, and there is none; or the database allows this process no
            connection.
    """
    require_engines(settings)
    metrics = process_metrics("worker")
    async with (
        open_tracing(settings, "worker") as tracing,
        open_repository(settings, metrics) as repository,
        open_publisher(settings) as (publisher, _),
    ):
        simulators, contact = SimulatorStatus(settings.simulation_slots), database_contact(settings)
        health = CheckHealth(repository, publisher, settings.health_timeout_s, simulators=simulators)
        async with (
            compared_connections(repository.database, worker_need(settings)),
            open_upkeep(settings, repository, publisher, contact, metrics, tracing) as dispatcher,
            open_consumer(settings) as consumer,
            open_backends(settings) as backends,
            open_claim_gate(settings, repository.database) as gate,
            running(heartbeat(settings, repository.database, simulators, backends, gate).run()),
        ):
            yield worker_parts(
                settings,
                repository,
                consumer,
                dispatcher,
                contact,
                health,
                simulators,
                backends,
                gate,
                open_scrape(metrics, health),
                metrics,
                tracing,
            )


def require_engines(settings: Settings) -> None:
    """Check that the engines of the settings can run on this machine, if this worker simulates.

    Raises:
        ConfigurationInvalid: one of them cannot.
    """
    if settings.gpu and TaskKind.SIMULATE in settings.kinds:
        require_gpu()


def worker_parts(
    settings: Settings,
    repository: SqlTaskRepository,
    consumer: TaskConsumer,
    outbox: Outbox,
    contact: DatabaseContact,
    health: CheckHealth,
    simulators: SimulatorStatus,
    backends: Backends,
    gate: ClaimGate,
    scrape: Scrape,
    metrics: Metrics,
    tracing: Tracing = NO_TRACING,
) -> WorkerParts:
    """Build the parts of a worker on a repository and a consumer; `outbox` is the dispatcher of its process."""
    clock = SystemClock()
    admission = Admission()
    deferrals = Deferrals(repository, clock, lambda: admission.busy, outbox.nudge)
    lease = timedelta(seconds=settings.lease_s)
    log.info("simulator.confinement", **protections())
    metrics.on_scrape(SLOTS, lambda: _slots(settings))
    return WorkerParts(
        consumer=consumer,
        runners=ChildRunnerFactory(
            execution_limits(settings), admission=admission, counts=SimulatorCounts(metrics, "simulate")
        ),
        process=ProcessTask(
            repository,
            clock,
            WorkerId(settings.worker_id),
            lease,
            deferrals,
            contact.interrupted,
            devices=DeviceTexts(SqlDeviceContents(repository.database)),
            tracing=tracing,
            noise=TaskNoise(SqlNoiseContents(repository.database), clock),
            metrics=metrics,
        ),
        clock=clock,
        health=health,
        simulators=simulators,
        short_runners=_short_runners(settings, metrics),
        # Programs for external backends are written by processes like those of conversions.
        conversion_runners=ChildRunnerFactory(
            replace(execution_limits(settings), gpu=False), counts=SimulatorCounts(metrics, "convert")
        ),
        backends=backends,
        repository=repository,
        backend_registry=SqlBackendRegistry(repository.database),
        outbox=outbox,
        scrape=scrape,
        gate=gate,
    )


def _slots(settings: Settings) -> Reading:
    conversions = settings.conversion_slots if TaskKind.CONVERT in settings.kinds else 0
    short = int(bool(settings.short_task_s and settings.simulation_slots))
    return {("simulate",): settings.simulation_slots, ("short",): short, ("convert",): conversions}


def _short_runners(settings: Settings, metrics: Metrics) -> RunnerFactory | None:
    if not settings.short_task_s:
        return None
    return ChildRunnerFactory(
        short_program_limits(settings), admission=ShortProgramsOnly(), counts=SimulatorCounts(metrics, "short")
    )


@asynccontextmanager
async def open_claim_gate(settings: Settings, database: Database) -> AsyncIterator[ClaimGate]:
    """Follow what stops the claims of this process's worker; nothing is claimed before it has been read."""
    gate = ClaimGate(stops=None)
    follow = FollowStops(SqlClaimControls(database), SystemClock(), WorkerId(settings.worker_id), gate)
    async with running(follow.run()):
        yield gate


def heartbeat(
    settings: Settings, database: Database, simulators: SimulatorStatus, backends: Backends, gate: ClaimGate
) -> Heartbeat:
    """Build the heartbeat of this process's worker, its simulators and its external backends."""
    own = [queue for queue in (SIMULATIONS, CONVERSIONS) if queue.kind in settings.kinds]
    external = [TaskQueue(TaskKind.RUN, name) for name in backends.adapters]
    identity = WorkerIdentity(
        worker_id=WorkerId(settings.worker_id),
        slots=settings.simulation_slots,
        version=version("ketline"),
        conversion_slots=settings.conversion_slots if TaskKind.CONVERT in settings.kinds else 0,
        queues=[queue.name for queue in (*own, *external)],
    )
    return Heartbeat(
        SqlWorkerRegistry(database),
        SystemClock(),
        identity,
        settings.worker_beat_s,
        simulators,
        lambda: gate.draining_since,
    )

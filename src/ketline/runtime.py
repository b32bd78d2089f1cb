"""The composition root: chooses the adapter behind each port, for the embedded and the distributed service."""

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from ketline.config import Settings, available_cores
from ketline.db.engine.database import Database, open_database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.notify.notifications import SILENT, PostgresqlAnnouncer, PostgresqlListener
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import ConfigurationInvalid
from ketline.domain.task import WorkerId
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.admission import Admission
from ketline.execution.parent.machine import memory_bytes
from ketline.execution.parent.runner import ChildRunnerFactory
from ketline.execution.sandbox import protections
from ketline.inspection_runtime import InspectionServices, heartbeat, open_inspection
from ketline.messaging.memory import MemoryQueue
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from ketline.ports.catalogue import TaskCatalogue
from ketline.ports.tasks import (
    Announcer,
    Clock,
    DeadLetterBox,
    RunnerFactory,
    TaskConsumer,
    TaskPublisher,
    TaskRepository,
)
from ketline.service.backlog import Backlog
from ketline.service.change import ChangeTask, RerunTask
from ketline.service.contact import DatabaseContact
from ketline.service.dead_letters import KeepDeadLetters
from ketline.service.deferrals import Deferrals
from ketline.service.health import CheckHealth
from ketline.service.process import ProcessTask
from ketline.service.reap import Reaper
from ketline.service.recover import Dispatcher
from ketline.service.retention import Retention
from ketline.service.simulators import SimulatorStatus
from ketline.service.statistics import CountTasks
from ketline.service.submit import SubmitTask
from ketline.service.watch import LocalAnnouncer, Watch

log = structlog.get_logger()

# The rest is for the parents, the imports of the simulators, and the operating system.
SIMULATOR_MEMORY_SHARE = 0.7
# Of an equal share a slot keeps so much for small programs; one large program has what all slots do without.
SMALL_PROGRAM_SHARE = 0.25
LEAST_SMALL_PROGRAM_BYTES = 64 << 20


class SystemClock:
    """The `Clock` of this process."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Service:
    """What an API needs."""

    repository: TaskRepository
    submit: SubmitTask
    health: CheckHealth
    watch: Watch
    catalogue: TaskCatalogue
    change: ChangeTask
    rerun: RerunTask
    statistics: CountTasks
    inspection: InspectionServices
    dead_letters: KeepDeadLetters


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker needs."""

    consumer: TaskConsumer
    runners: RunnerFactory
    process: ProcessTask
    clock: Clock
    health: CheckHealth
    simulators: SimulatorStatus


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """The API's side of the distributed service; opens while the database or the broker is down."""
    async with _database(settings) as database, _announcer(database) as announcer, _publisher(settings) as publisher:
        repository = _repository(settings, database, announcer)
        watch, contact = Watch(repository, SystemClock()), _contact(settings)
        async with (
            _service(settings, repository, publisher, watch, contact, publisher.dead_letters) as service,
            _listening(settings, database, watch),
        ):
            yield service


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncIterator[WorkerParts]:
    """The worker's side of the distributed service; opens while the database or the broker is down."""
    async with _database(settings) as database, _announcer(database) as announcer, _publisher(settings) as publisher:
        repository = _repository(settings, database, announcer)
        consumer = RabbitConsumer(settings.rabbitmq_url.get_secret_value(), queue_name=settings.task_queue_name)
        simulators, contact = SimulatorStatus(settings.worker_slots), _contact(settings)
        beating = heartbeat(settings, database, SystemClock(), simulators)
        health = CheckHealth(repository, publisher, settings.health_timeout_s, simulators=simulators)
        async with _recovery(settings, repository, publisher, contact) as dispatcher, consumer, _running(beating.run()):
            yield _worker_parts(settings, repository, consumer, dispatcher.nudge, contact, health, simulators)


@asynccontextmanager
async def open_embedded(settings: Settings, directory: Path) -> AsyncIterator[tuple[Service, WorkerParts]]:
    """The whole service in this process, on a SQLite database in `directory`.

    Raises:
        ConfigurationInvalid: the directory cannot be used, or another process uses it.
        DatabaseUnavailable: the database file cannot be opened or migrated.
    """
    with _sole_owner(directory):
        url = f"sqlite+aiosqlite:///{directory / 'ketline.db'}"
        await _migrate(url)
        async with open_database(url) as database:
            local = LocalAnnouncer()
            repository = _repository(settings, database, local)
            await repository.start_afresh()  # guard: start.afresh
            queue = MemoryQueue()
            watch = Watch(repository, SystemClock())
            local.heard = watch.heard
            simulators = SimulatorStatus(settings.worker_slots)
            beating = heartbeat(settings, database, SystemClock(), simulators)
            # Whoever held a lease ended with the process before this one.
            contact = _contact(settings, steady_at_start=True)
            async with (
                _service(settings, repository, queue, watch, contact, simulators=simulators) as service,
                _running(beating.run()),
            ):
                nudge, health = service.change.nudge, service.health
                yield service, _worker_parts(settings, repository, queue, nudge, contact, health, simulators)


async def migrate_database(settings: Settings) -> None:
    """Bring the configured database's schema up to date.

    Raises:
        DatabaseUnavailable: it cannot be.
    """
    await _migrate(_direct_url(settings))


async def _migrate(url: str) -> None:
    # Late, because API and workers never need Alembic, a third of what they would import.
    from ketline.db.schema.migrate import migrate

    await migrate(url)


def execution_limits(settings: Settings) -> ExecutionLimits:
    """What a simulator may use for a large program and for others, from the settings and this machine."""
    slots = settings.worker_slots
    machine = int(memory_bytes() * SIMULATOR_MEMORY_SHARE)
    small = max(LEAST_SMALL_PROGRAM_BYTES, int(machine / slots * SMALL_PROGRAM_SHARE))
    # On a machine with hardly any memory for its slots, an equal share as before.
    large = max(machine - (slots - 1) * small, machine // slots)
    if settings.simulator_memory_mb is not None:
        large = settings.simulator_memory_mb * 1024 * 1024
    cores = available_cores()
    threads = settings.simulator_threads or cores
    return ExecutionLimits(
        soft_time_limit=timedelta(seconds=settings.task_soft_time_limit_s),
        time_limit=timedelta(seconds=settings.task_time_limit_s),
        memory_bytes=large,
        small_memory_bytes=min(small, large),
        max_qubits=settings.max_qubits,
        max_operations=settings.max_operations,
        max_result_bytes=settings.max_result_mb * 1024 * 1024,
        threads=threads,
        share_threads=min(threads, max(1, cores // slots)),
    )


@asynccontextmanager
async def _recovery(
    settings: Settings, repository: SqlTaskRepository, publisher: TaskPublisher, contact: DatabaseContact
) -> AsyncIterator[Dispatcher]:
    """The dispatcher, the reaper and the retention that every process runs."""
    clock = SystemClock()
    dispatcher = Dispatcher(repository, publisher, clock, settings.dispatch_interval_s)
    reaper = Reaper(repository, dispatcher.nudge, clock, settings.reap_interval_s, contact)
    retention = Retention(
        SqlTaskCatalogue(repository.database),
        clock,
        age=timedelta(days=settings.retain_days) if settings.retain_days else None,
        most=settings.retain_tasks or None,
    )
    async with _running(
        dispatcher.run(),
        reaper.run(),  # guard: reaper
        retention.run(),
    ):
        yield dispatcher


@asynccontextmanager
async def _service(
    settings: Settings,
    repository: SqlTaskRepository,
    publisher: TaskPublisher,
    watch: Watch,
    contact: DatabaseContact,
    box: DeadLetterBox | None = None,
    simulators: SimulatorStatus | None = None,
) -> AsyncIterator[Service]:
    clock = SystemClock()
    backlog = Backlog(repository, clock, settings.max_backlog)
    catalogue = SqlTaskCatalogue(repository.database)
    async with (
        open_inspection(settings, repository.database, execution_limits(settings), clock) as inspection,
        _recovery(settings, repository, publisher, contact) as dispatcher,
        _running(backlog.run(), watch.run(), inspection.lost_workers.run()),
    ):
        submit = SubmitTask(repository, dispatcher, backlog, max_attempts=1 + settings.worker_max_retries)
        yield Service(
            repository,
            submit,
            CheckHealth(repository, publisher, settings.health_timeout_s, simulators=simulators),
            watch,
            catalogue,
            change=ChangeTask(catalogue, dispatcher.nudge),
            rerun=RerunTask(catalogue, submit),
            statistics=CountTasks(catalogue, clock),
            inspection=inspection,
            dead_letters=KeepDeadLetters(clock, box),
        )


def _contact(settings: Settings, *, steady_at_start: bool = False) -> DatabaseContact:
    return DatabaseContact(SystemClock(), timedelta(seconds=settings.lease_s), steady_at_start)


def _worker_parts(
    settings: Settings,
    repository: TaskRepository,
    consumer: TaskConsumer,
    nudge: Callable[[], None],
    contact: DatabaseContact,
    health: CheckHealth,
    simulators: SimulatorStatus,
) -> WorkerParts:
    clock = SystemClock()
    admission = Admission()
    deferrals = Deferrals(repository, clock, lambda: admission.busy, nudge)
    lease = timedelta(seconds=settings.lease_s)
    process = ProcessTask(repository, clock, WorkerId(settings.worker_id), lease, deferrals, contact.interrupted)
    runners = ChildRunnerFactory(execution_limits(settings), admission=admission)
    log.info("simulator.confinement", **protections())
    return WorkerParts(consumer, runners, process, clock, health, simulators)


def _direct_url(settings: Settings) -> str:
    """Past a connection pooler, where there is one."""
    return (settings.database_direct_url or settings.database_url).get_secret_value()


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    url = settings.database_url.get_secret_value()
    async with open_database(
        url, pool_size=settings.database_pool_size, idle_seconds=settings.database_idle_s
    ) as database:
        yield database


@asynccontextmanager
async def _publisher(settings: Settings) -> AsyncIterator[RabbitPublisher]:
    async with RabbitPublisher(
        settings.rabbitmq_url.get_secret_value(),
        queue_name=settings.task_queue_name,
        publish_timeout_seconds=settings.publish_timeout_s,
    ) as publisher:
        yield publisher


@asynccontextmanager
async def _listening(settings: Settings, database: Database, watch: Watch) -> AsyncIterator[None]:
    """What other processes announce reaches the watch; on SQLite, which cannot tell, its poll alone has to do."""
    if database.is_sqlite:
        yield
        return
    listener = PostgresqlListener(_direct_url(settings), watch.heard, watch.resync)
    async with _running(listener.run()):
        yield


@asynccontextmanager
async def _announcer(database: Database) -> AsyncIterator[Announcer]:
    if database.is_sqlite:
        yield SILENT
        return
    announcer = PostgresqlAnnouncer(database)
    try:
        yield announcer
    finally:
        await announcer.close()


def _repository(settings: Settings, database: Database, announcer: Announcer) -> SqlTaskRepository:
    return SqlTaskRepository(
        database,
        redispatch=timedelta(seconds=settings.redispatch_s),
        retry_delay=timedelta(seconds=settings.worker_retry_delay_s),
        max_crashes=settings.max_crashes,
        key_lifetime=timedelta(seconds=settings.idempotency_key_lifetime_s),
        announcer=announcer,
    )


@asynccontextmanager
async def _running(*loops: Coroutine[None, None, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _sole_owner(directory: Path) -> Iterator[None]:
    """Hold the directory's lock file; the operating system lets go of it however this process ends."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "ketline.lock").open("w")
    except OSError as error:
        raise ConfigurationInvalid(
            f"The data directory cannot be used ({error.strerror}); set KETLINE_DATA_DIR."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # guard: start.owner
        except BlockingIOError:
            raise ConfigurationInvalid(
                "Another Ketline process uses this data directory; stop it, or set KETLINE_DATA_DIR to another one."
            ) from None
        yield

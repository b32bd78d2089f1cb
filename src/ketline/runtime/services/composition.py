"""Composes the services of an API process from adapters, and runs the loops beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ketline.config import Settings
from ketline.db.access import SqlProjectStore
from ketline.db.backends import SqlBackendRegistry
from ketline.db.device_contents import SqlDeviceContents
from ketline.db.devices import SqlDeviceStore
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.noise_contents import SqlNoiseContents
from ketline.db.tasks.programs import SqlProgramLibrary
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.usage import SqlUsageLedger
from ketline.db.webhooks.deliveries import SqlDeliveryLog
from ketline.db.workers import SqlWorkerRegistry
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.ports.tasks.queue import DeadLetterBox, TaskPublisher
from ketline.prometheus_metrics import PrometheusMetrics
from ketline.runtime.background import running
from ketline.runtime.clock import SystemClock
from ketline.runtime.inspection import backend, open_program_inspector
from ketline.runtime.limits import execution_limits
from ketline.runtime.services.access import open_access
from ketline.runtime.services.operations import operations_services
from ketline.runtime.upkeep import open_upkeep
from ketline.service.devices import ManageDevices
from ketline.service.health.check import CheckHealth
from ketline.service.health.heartbeat import LostWorkerCleanup
from ketline.service.health.simulators import SimulatorStatus
from ketline.service.inspection.backends import ListExternalBackends
from ketline.service.inspection.drawings import DrawCircuit, DrawingCache
from ketline.service.inspection.validation import ValidateProgram
from ketline.service.services import Services
from ketline.service.task_devices import DeviceTexts, TaskDevices
from ketline.service.task_noise import TaskNoise
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.callbacks import KnownCallbacks
from ketline.service.tasks.changes import CancelTask, ChangeTask, EnqueueTask, RerunTask
from ketline.service.tasks.quotas import KnownQuotas
from ketline.service.tasks.statistics import CountTasks
from ketline.service.tasks.submission import SubmitTask
from ketline.service.tasks.usage import SumUsage
from ketline.service.tasks.watch import Watch
from ketline.service.upkeep.contact import DatabaseContact

DRAWING_CACHE_CHARACTERS = 16 << 20


@asynccontextmanager
async def open_services(
    settings: Settings,
    repository: SqlTaskRepository,
    publisher: TaskPublisher,
    watch: Watch,
    contact: DatabaseContact,
    direct_url: str,
    metrics: PrometheusMetrics,
    dead_letter_box: DeadLetterBox | None = None,
    simulators: SimulatorStatus | None = None,
    tracing: Tracing = NO_TRACING,
) -> AsyncIterator[Services]:
    """Open all services on a repository and a publisher.

    `direct_url` is that of the database without a pooler; `simulators` is the status of a worker in this process.
    """
    clock, limits, database = SystemClock(), execution_limits(settings), repository.database
    backlog = Backlog(repository, clock, settings.max_backlog)
    catalogue = SqlTaskCatalogue(database)
    workers, projects = SqlWorkerRegistry(database), SqlProjectStore(database)
    quotas = KnownQuotas(projects, clock, settings.quota_defaults)
    callbacks = KnownCallbacks(projects, clock)
    devices = ManageDevices(SqlDeviceStore(database))
    task_devices = TaskDevices(devices, DeviceTexts(SqlDeviceContents(database)), clock)
    health = CheckHealth(repository, publisher, settings.health_timeout_s, simulators=simulators)
    async with (
        open_access(settings, database, clock, metrics) as access,
        open_program_inspector(settings, limits, metrics) as inspector,
        open_upkeep(settings, repository, publisher, contact, metrics, tracing) as dispatcher,
        running(
            backlog.run(),
            quotas.run(),
            callbacks.run(),
            watch.run(),
            LostWorkerCleanup(workers, clock).run(),
        ),
    ):
        submit = SubmitTask(
            repository,
            dispatcher,
            backlog,
            max_attempts=1 + settings.worker_max_retries,
            quotas=quotas,
            callbacks=callbacks,
            devices=task_devices,
            noise=TaskNoise(SqlNoiseContents(database), clock),
            time_limit_seconds=limits.time_limit.total_seconds(),
            tracing=tracing,
            metrics=metrics,
        )
        library, drawings = SqlProgramLibrary(database), DrawingCache(DRAWING_CACHE_CHARACTERS)
        yield Services(
            access=access,
            operations=operations_services(
                settings, repository, dispatcher, health, direct_url, clock, metrics, dead_letter_box
            ),
            submit=submit,
            submissions=repository,
            reader=repository,
            metrics=metrics,
            watch=watch,
            catalogue=catalogue,
            change=ChangeTask(catalogue, dispatcher.nudge, quotas, metrics=metrics),
            cancel=CancelTask(repository, metrics),
            enqueue=EnqueueTask(repository, dispatcher.nudge),
            rerun=RerunTask(catalogue, submit),
            statistics=CountTasks(catalogue, clock),
            validate=ValidateProgram(inspector, limits.time_limit),
            draw=DrawCircuit(library, inspector, drawings),
            workers=workers,
            external_backends=ListExternalBackends(workers, SqlBackendRegistry(database)),
            devices=devices,
            task_devices=task_devices,
            backend=backend(settings, limits),
            deliveries=SqlDeliveryLog(database),
            usage=SumUsage(SqlUsageLedger(database), clock),
            tracing=tracing,
        )

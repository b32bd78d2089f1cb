"""The services of the API over the adapters that a test chooses."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import ANYONE
from ketline.ports.access.audit import AuditLog
from ketline.ports.access.usage import UsageLedger
from ketline.ports.devices.devices import DeviceStore
from ketline.ports.operations.history import StatisticsHistory
from ketline.ports.operations.workers import WorkerRegistry
from ketline.ports.tasks.catalogue import TaskCatalogue
from ketline.ports.tasks.inspection import Inspector, ProgramLibrary
from ketline.ports.tasks.queue import DeadLetterBox, TaskPublisher
from ketline.prometheus_metrics import PrometheusMetrics
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.access.failures import FailedSignIns
from ketline.service.access.keys import ManageKeys
from ketline.service.access.rejected_sign_ins import RecordRejectedSignIns
from ketline.service.access.sessions import ManageSessions
from ketline.service.access.webhook_secrets import ManageWebhookSecrets
from ketline.service.devices import ManageDevices
from ketline.service.health.check import CheckHealth
from ketline.service.health.dead_letters import ManageDeadLetters
from ketline.service.health.pauses import KnownPauses
from ketline.service.health.scrape import Scrape
from ketline.service.inspection.backends import ListExternalBackends
from ketline.service.inspection.drawings import DrawCircuit, DrawingCache
from ketline.service.inspection.validation import ValidateProgram
from ketline.service.services import AccessServices, OperationsServices, Services
from ketline.service.task_devices import DeviceTexts, TaskDevices
from ketline.service.task_noise import TaskNoise
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.callbacks import KnownCallbacks
from ketline.service.tasks.changes import CancelTask, ChangeTask, EnqueueTask, RerunTask
from ketline.service.tasks.interventions import InterveneInTasks
from ketline.service.tasks.quotas import KnownQuotas
from ketline.service.tasks.statistics import CountTasks
from ketline.service.tasks.submission import Outbox, SubmitTask
from ketline.service.tasks.usage import SumUsage
from ketline.service.tasks.watch import Watch
from ketline.service.vacuum import VacuumDatabase
from tests.fake_access import FakeKeyStore, FakeProjectStore, FakeSessionStore
from tests.fake_administration import FakeClaimControls, FakeInterventions, FakeStorage
from tests.fake_device_contents import FakeDeviceContents
from tests.fake_devices import FakeDeviceStore
from tests.fake_history import FakeStatisticsHistory
from tests.fake_webhooks import FakeDeliveryLog, FakeSecretStore
from tests.fakes import FakeTaskRepository
from tests.inspectors import BACKEND, FakeBackendRegistry


def services_over(
    repository: FakeTaskRepository | SqlTaskRepository,
    catalogue: TaskCatalogue,
    *,
    publisher: TaskPublisher,
    outbox: Outbox,
    backlog: Backlog,
    watch: Watch,
    inspector: Inspector,
    library: ProgramLibrary,
    workers: WorkerRegistry,
    dead_letters: DeadLetterBox,
    audit_log: AuditLog,
    ledger: UsageLedger,
    devices: DeviceStore | None = None,
    history: StatisticsHistory | None = None,
    controls: FakeClaimControls | None = None,
    interventions: FakeInterventions | None = None,
) -> Services:
    """All services; keys, sessions, projects and external backends are fakes, and nobody is authenticated."""
    metrics = PrometheusMetrics()
    health = CheckHealth(repository, publisher, timeout_seconds=0.2)
    projects = FakeProjectStore()
    quotas = KnownQuotas(projects, SystemClock())
    managed = ManageDevices(devices or FakeDeviceStore())
    task_devices = TaskDevices(managed, DeviceTexts(FakeDeviceContents()), SystemClock())
    submit = SubmitTask(
        repository,
        outbox,
        backlog,
        max_attempts=3,
        quotas=quotas,
        callbacks=KnownCallbacks(projects, SystemClock()),
        devices=task_devices,
        noise=TaskNoise(FakeDeviceContents(), SystemClock()),
        time_limit_seconds=300.0,
        metrics=metrics,
    )
    keys = FakeKeyStore(projects)
    controls = controls or FakeClaimControls()
    return Services(
        access=AccessServices(
            authenticate=Authenticate([], SystemClock(), anyone=ANYONE),
            keys=ManageKeys(keys),
            sessions=ManageSessions(FakeSessionStore(keys), timedelta(hours=1)),
            rejected_sign_ins=RecordRejectedSignIns(audit_log, SystemClock(), metrics),
            failed_sign_ins=FailedSignIns((), SystemClock()),
            projects=projects,
            audit=audit_log,
            webhook_secrets=ManageWebhookSecrets(FakeSecretStore(), projects),
        ),
        operations=OperationsServices(
            health=health,
            scrape=Scrape(metrics, health),
            dead_letters=ManageDeadLetters(SystemClock(), audit_log, dead_letters),
            history=history or FakeStatisticsHistory(),
            claim_controls=controls,
            pauses=KnownPauses(controls, SystemClock()),
            interventions=InterveneInTasks(interventions or FakeInterventions(), outbox.nudge),
            vacuum=VacuumDatabase(_no_ended, FakeStorage(), audit_log, SystemClock()),
        ),
        submit=submit,
        submissions=repository,
        reader=repository,
        metrics=metrics,
        catalogue=catalogue,
        change=ChangeTask(catalogue, outbox.nudge, quotas, metrics=metrics),
        cancel=CancelTask(repository, metrics),
        enqueue=EnqueueTask(repository, outbox.nudge),
        rerun=RerunTask(catalogue, submit),
        statistics=CountTasks(catalogue, SystemClock()),
        watch=watch,
        validate=ValidateProgram(inspector, timedelta(seconds=90)),
        draw=DrawCircuit(library, inspector, DrawingCache(1000)),
        workers=workers,
        external_backends=ListExternalBackends(workers, FakeBackendRegistry()),
        devices=managed,
        task_devices=task_devices,
        backend=BACKEND,
        deliveries=FakeDeliveryLog(),
        usage=SumUsage(ledger, SystemClock()),
    )


def with_access(services: Services, **changes: Any) -> Services:
    """These services with others for access, by their names in `AccessServices`."""
    return replace(services, access=replace(services.access, **changes))


async def _no_ended() -> int:
    return 0

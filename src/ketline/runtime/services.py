"""Opens the services of an API process, and the loops that run beside them; for `api.py` and `embedded.py`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from ketline.config import Settings
from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.audit import SqlAuditLog
from ketline.db.backends import SqlBackendRegistry
from ketline.db.browser_sessions import SqlSessionStore
from ketline.db.claim_controls import SqlClaimControls
from ketline.db.device_contents import SqlDeviceContents
from ketline.db.devices import SqlDeviceStore
from ketline.db.history import SqlStatisticsHistory
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.noise_contents import SqlNoiseContents
from ketline.db.tasks.interventions import SqlTaskInterventions
from ketline.db.tasks.programs import SqlProgramLibrary
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.usage import SqlUsageLedger
from ketline.db.webhooks.deliveries import SqlDeliveryLog
from ketline.db.webhooks.secrets import SqlSecretStore
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.access.groups import parse_groups
from ketline.domain.access.principals import ANYONE, AuthMode
from ketline.ports.access.access import ProviderSignIn, TokenVerifier
from ketline.ports.clock import Clock
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.ports.tasks.queue import DeadLetterBox, TaskPublisher
from ketline.prometheus_metrics import PrometheusMetrics
from ketline.rate_limiter import MemoryRateLimiter
from ketline.runtime.background import running
from ketline.runtime.clock import SystemClock
from ketline.runtime.inspection import backend, open_program_inspector
from ketline.runtime.limits import execution_limits
from ketline.runtime.metrics import open_scrape
from ketline.runtime.retention import vacuum_of
from ketline.runtime.upkeep import open_upkeep
from ketline.service.access.authentication import Authenticate
from ketline.service.access.failures import FailedSignIns
from ketline.service.access.keys import ManageKeys, VerifyKey
from ketline.service.access.rejected_sign_ins import RecordRejectedSignIns
from ketline.service.access.sessions import ManageSessions, VerifySession
from ketline.service.access.webhook_secrets import ManageWebhookSecrets
from ketline.service.devices import ManageDevices
from ketline.service.health.check import CheckHealth
from ketline.service.health.dead_letters import ManageDeadLetters
from ketline.service.health.heartbeat import LostWorkerCleanup
from ketline.service.health.pauses import KnownPauses
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
from ketline.service.tasks.interventions import InterveneInTasks
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
    clock, limits = SystemClock(), execution_limits(settings)
    backlog = Backlog(repository, clock, settings.max_backlog)
    catalogue = SqlTaskCatalogue(repository.database)
    audit = SqlAuditLog(repository.database)
    workers, keys = SqlWorkerRegistry(repository.database), SqlKeyStore(repository.database)
    sessions = SqlSessionStore(repository.database)
    projects = SqlProjectStore(repository.database)
    quotas = KnownQuotas(projects, clock, settings.quota_defaults)
    callbacks = KnownCallbacks(projects, clock)
    devices = ManageDevices(SqlDeviceStore(repository.database))
    task_devices = TaskDevices(devices, DeviceTexts(SqlDeviceContents(repository.database)), clock)
    rejected = RecordRejectedSignIns(audit, clock, metrics)
    controls = SqlClaimControls(repository.database)
    health = CheckHealth(repository, publisher, settings.health_timeout_s, simulators=simulators)
    async with (
        _open_authentication(settings, keys, sessions, clock) as (authenticate, provider),
        open_program_inspector(settings, limits, metrics) as inspector,
        open_upkeep(settings, repository, publisher, contact, metrics, tracing) as dispatcher,
        running(
            backlog.run(),
            quotas.run(),
            callbacks.run(),
            watch.run(),
            LostWorkerCleanup(workers, clock).run(),
            rejected.run(),
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
            noise=TaskNoise(SqlNoiseContents(repository.database), clock),
            time_limit_seconds=limits.time_limit.total_seconds(),
            tracing=tracing,
            metrics=metrics,
        )
        library, drawings = SqlProgramLibrary(repository.database), DrawingCache(DRAWING_CACHE_CHARACTERS)
        yield Services(
            submit=submit,
            submissions=repository,
            reader=repository,
            health=health,
            scrape=open_scrape(metrics, health, repository.database, dead_letter_box),
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
            external_backends=ListExternalBackends(workers, SqlBackendRegistry(repository.database)),
            devices=devices,
            task_devices=task_devices,
            backend=backend(settings, limits),
            dead_letters=ManageDeadLetters(clock, audit, dead_letter_box),
            authenticate=authenticate,
            provider=provider,
            keys=ManageKeys(keys),
            sessions=ManageSessions(sessions, timedelta(hours=settings.session_hours)),
            rejected_sign_ins=rejected,
            failed_sign_ins=FailedSignIns(settings.failed_sign_in_limits, clock),
            projects=projects,
            audit=audit,
            deliveries=SqlDeliveryLog(repository.database),
            webhook_secrets=ManageWebhookSecrets(SqlSecretStore(repository.database), projects),
            usage=SumUsage(SqlUsageLedger(repository.database), clock),
            history=SqlStatisticsHistory(repository.database),
            claim_controls=controls,
            pauses=KnownPauses(controls, clock),
            interventions=InterveneInTasks(
                SqlTaskInterventions(repository.database, repository.notifier), dispatcher.nudge
            ),
            vacuum=vacuum_of(settings, repository.database, direct_url),
            rate_limiter=MemoryRateLimiter(settings.rate_limits) if settings.rate_limits else None,
            tracing=tracing,
        )


@asynccontextmanager
async def _open_authentication(
    settings: Settings, keys: SqlKeyStore, sessions: SqlSessionStore, clock: Clock
) -> AsyncIterator[tuple[Authenticate, ProviderSignIn | None]]:
    """Requests are authenticated as the operator chose; without authentication everyone may do everything."""
    modes = settings.auth_modes
    if modes == {AuthMode.OFF}:
        yield Authenticate([], clock, anyone=ANYONE), None
        return
    rights = parse_groups(settings.oidc_groups) if AuthMode.OIDC in modes else {}
    verifiers: list[TokenVerifier] = [VerifySession(sessions, rights, keys=AuthMode.KEYS in modes)]
    if AuthMode.KEYS in modes:
        verifiers.append(VerifyKey(keys, clock))
    provider: ProviderSignIn | None = None
    async with AsyncExitStack() as stack:
        if AuthMode.OIDC in modes:
            # Libraries that take time to import, and that only those who use an issuer need.
            from ketline.runtime.issuer import open_issuer

            verify, provider = await stack.enter_async_context(open_issuer(settings))
            verifiers.append(verify)
        yield Authenticate(verifiers, clock), provider

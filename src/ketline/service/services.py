"""The services that the API calls, in one value; `runtime.services` builds it once for each process."""

from dataclasses import dataclass, field, replace
from typing import Self

from ketline.domain.access.principals import ProjectName
from ketline.domain.devices.backend import Backend
from ketline.ports.access.access import ProjectStore, ProviderSignIn
from ketline.ports.access.audit import AuditLog
from ketline.ports.access.rate_limits import RateLimiter
from ketline.ports.operations.claim_controls import ClaimControls
from ketline.ports.operations.history import StatisticsHistory
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.ports.operations.workers import WorkerRegistry
from ketline.ports.tasks.catalogue import TaskCatalogue
from ketline.ports.tasks.repositories import TaskReader, TaskSubmissions
from ketline.ports.webhooks import DeliveryLog
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
from ketline.service.inspection.drawings import DrawCircuit
from ketline.service.inspection.validation import ValidateProgram
from ketline.service.task_devices import TaskDevices
from ketline.service.tasks.changes import CancelTask, ChangeTask, EnqueueTask, RerunTask
from ketline.service.tasks.interventions import InterveneInTasks
from ketline.service.tasks.statistics import CountTasks
from ketline.service.tasks.submission import SubmitTask
from ketline.service.tasks.usage import SumUsage
from ketline.service.tasks.watch import Watch
from ketline.service.vacuum import VacuumDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessServices:
    """Who may do what, and how often: authentication, keys, sessions, projects and the audit log of all projects."""

    authenticate: Authenticate
    provider: ProviderSignIn | None = None
    keys: ManageKeys
    sessions: ManageSessions
    projects: ProjectStore
    webhook_secrets: ManageWebhookSecrets
    audit: AuditLog
    rejected_sign_ins: RecordRejectedSignIns
    failed_sign_ins: FailedSignIns
    rate_limiter: RateLimiter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsServices:
    """What operators watch and control: health, metrics, history, dead letters, claims, and tasks of all projects."""

    health: CheckHealth
    scrape: Scrape
    history: StatisticsHistory
    dead_letters: ManageDeadLetters
    claim_controls: ClaimControls
    pauses: KnownPauses
    interventions: InterveneInTasks
    vacuum: VacuumDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All services of an API process, usable while the context that opened them is open.

    Those of `access` and `operations` are the same for all projects, the others are for one.
    """

    access: AccessServices
    operations: OperationsServices

    submit: SubmitTask
    submissions: TaskSubmissions
    reader: TaskReader
    watch: Watch
    catalogue: TaskCatalogue
    task_devices: TaskDevices
    change: ChangeTask
    cancel: CancelTask
    enqueue: EnqueueTask
    rerun: RerunTask
    statistics: CountTasks
    validate: ValidateProgram
    draw: DrawCircuit
    workers: WorkerRegistry
    external_backends: ListExternalBackends
    devices: ManageDevices
    backend: Backend
    deliveries: DeliveryLog
    usage: SumUsage
    tracing: Tracing = NO_TRACING
    metrics: Metrics = field(default_factory=NoMetrics)

    def within(self, project: ProjectName) -> Self:
        """Return the services for the tasks of another project."""
        submissions, catalogue = self.submissions.within(project), self.catalogue.within(project)
        submit = self.submit.within(project, submissions)
        return replace(
            self,
            submit=submit,
            submissions=submissions,
            reader=self.reader.within(project),
            catalogue=catalogue,
            change=replace(self.change, catalogue=catalogue, project=project),
            cancel=replace(self.cancel, repository=submissions),
            enqueue=replace(self.enqueue, repository=submissions),
            rerun=replace(self.rerun, catalogue=catalogue, submit=submit),
            statistics=CountTasks(catalogue, self.statistics.clock),
            validate=self.validate.within(project),
            draw=self.draw.within(project),
            task_devices=self.task_devices.within(project),
            workers=self.workers.within(project),
            devices=self.devices.within(project),
            deliveries=self.deliveries.within(project),
        )

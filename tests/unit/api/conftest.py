"""The application over fakes, without a network."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from ketline.api.app import ApiOptions, create_app
from ketline.api.requests.hosts import HostRule
from ketline.domain.access import ANYONE
from ketline.runtime import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.access.keys import ManageKeys
from ketline.service.access.refusals import RecordRefusedSignIns
from ketline.service.access.sessions import ManageSessions
from ketline.service.health.check import CheckHealth
from ketline.service.health.dead_letters import ManageDeadLetters
from ketline.service.inspection.backends import ListExternalBackends
from ketline.service.inspection.drawings import DrawCircuit, DrawingCache
from ketline.service.inspection.validation import ValidateProgram
from ketline.service.services import Services
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.changes import ChangeTask, EnqueueTask, RerunTask
from ketline.service.tasks.quotas import KnownQuotas
from ketline.service.tasks.statistics import CountTasks
from ketline.service.tasks.submission import SubmitTask
from ketline.service.tasks.usage import SumUsage
from ketline.service.tasks.watch import Watch
from tests.fake_access import FakeAuditLog, FakeKeyStore, FakeProjectStore, FakeSessionStore
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fake_usage import FakeUsageLedger
from tests.fakes import FakeDeadLetterBox, FakeOutbox, FakeTaskPublisher, FakeTaskRepository
from tests.inspectors import BACKEND, FakeBackendRegistry, FakeInspector, FakeProgramLibrary, FakeWorkerRegistry

MAX_PROGRAM_BYTES = 2000


@pytest.fixture
def repository() -> FakeTaskRepository:
    return FakeTaskRepository()


@pytest.fixture
def catalogue(repository: FakeTaskRepository) -> FakeTaskCatalogue:
    return FakeTaskCatalogue(repository)


@pytest.fixture
def publisher() -> FakeTaskPublisher:
    return FakeTaskPublisher()


@pytest.fixture
def stopping() -> list[bool]:
    """Append to it, and the application is told that it is stopping."""
    return []


@pytest.fixture
def backlog(repository: FakeTaskRepository) -> Backlog:
    return Backlog(repository, SystemClock(), cap=5)


@pytest.fixture
def watch(repository: FakeTaskRepository) -> Watch:
    """Nothing runs its poll: who waits hears what a test tells it."""
    return Watch(repository)


@pytest.fixture
def inspector() -> FakeInspector:
    return FakeInspector()


@pytest.fixture
def library() -> FakeProgramLibrary:
    return FakeProgramLibrary()


@pytest.fixture
def workers() -> FakeWorkerRegistry:
    return FakeWorkerRegistry()


@pytest.fixture
def outbox() -> FakeOutbox:
    return FakeOutbox()


@pytest.fixture
def dead_letters() -> FakeDeadLetterBox:
    return FakeDeadLetterBox()


@pytest.fixture
def audit_log() -> FakeAuditLog:
    return FakeAuditLog()


@pytest.fixture
def ledger() -> FakeUsageLedger:
    return FakeUsageLedger()


@pytest.fixture
def services(
    repository: FakeTaskRepository,
    catalogue: FakeTaskCatalogue,
    publisher: FakeTaskPublisher,
    outbox: FakeOutbox,
    backlog: Backlog,
    watch: Watch,
    inspector: FakeInspector,
    library: FakeProgramLibrary,
    workers: FakeWorkerRegistry,
    dead_letters: FakeDeadLetterBox,
    audit_log: FakeAuditLog,
    ledger: FakeUsageLedger,
) -> Services:
    projects = FakeProjectStore()
    quotas = KnownQuotas(projects, SystemClock())
    submit = SubmitTask(repository, outbox, backlog, max_attempts=3, quotas=quotas, time_limit_seconds=300.0)
    keys = FakeKeyStore(projects)
    return Services(
        submit=submit,
        submissions=repository,
        reader=repository,
        health=CheckHealth(repository, publisher, timeout_seconds=0.2),
        catalogue=catalogue,
        change=ChangeTask(catalogue, outbox.nudge, quotas),
        enqueue=EnqueueTask(repository, outbox.nudge),
        rerun=RerunTask(catalogue, submit),
        statistics=CountTasks(catalogue, SystemClock()),
        watch=watch,
        validate=ValidateProgram(inspector, timedelta(seconds=90)),
        draw=DrawCircuit(library, inspector, DrawingCache(1000)),
        workers=workers,
        external_backends=ListExternalBackends(workers, FakeBackendRegistry()),
        backend=BACKEND,
        dead_letters=ManageDeadLetters(SystemClock(), audit_log, dead_letters),
        authenticate=Authenticate([], SystemClock(), anyone=ANYONE),
        keys=ManageKeys(keys),
        sessions=ManageSessions(FakeSessionStore(keys), timedelta(hours=1)),
        refused_sign_ins=RecordRefusedSignIns(audit_log, SystemClock()),
        projects=projects,
        audit=audit_log,
        usage=SumUsage(ledger, SystemClock()),
    )


@pytest.fixture
def options(stopping: list[bool]) -> ApiOptions:
    return ApiOptions(
        default_shots=777,
        max_shots=5000,
        max_program_bytes=MAX_PROGRAM_BYTES,
        version="1.2.3",
        max_timeout_seconds=100,
        max_attempts=7,
        max_wait_seconds=30.0,
        hosts=HostRule(names=frozenset({"ketline.test"})),
        stopping=lambda: bool(stopping),
    )


@pytest.fixture
def app(services: Services, options: ApiOptions) -> FastAPI:
    return create_app(services, options)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as client:
        yield client

"""The application over fakes, without a network."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from ketline.api.app import ApiOptions, create_app
from ketline.api.requests.hosts import HostRule
from ketline.runtime.clock import SystemClock
from ketline.service.services import Services
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.watch import Watch
from tests.api_services import services_over
from tests.fake_access import FakeAuditLog
from tests.fake_administration import FakeClaimControls, FakeInterventions
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fake_history import FakeStatisticsHistory
from tests.fake_usage import FakeUsageLedger
from tests.fakes import FakeDeadLetterBox, FakeOutbox, FakeTaskPublisher, FakeTaskRepository
from tests.inspectors import FakeInspector, FakeProgramLibrary, FakeWorkerRegistry

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
def history() -> FakeStatisticsHistory:
    return FakeStatisticsHistory()


@pytest.fixture
def controls() -> FakeClaimControls:
    return FakeClaimControls()


@pytest.fixture
def interventions() -> FakeInterventions:
    return FakeInterventions()


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
    history: FakeStatisticsHistory,
    controls: FakeClaimControls,
    interventions: FakeInterventions,
) -> Services:
    return services_over(
        repository,
        catalogue,
        publisher=publisher,
        outbox=outbox,
        backlog=backlog,
        watch=watch,
        inspector=inspector,
        library=library,
        workers=workers,
        dead_letters=dead_letters,
        audit_log=audit_log,
        ledger=ledger,
        history=history,
        controls=controls,
        interventions=interventions,
    )


@pytest.fixture
def options(stopping: list[bool]) -> ApiOptions:
    return ApiOptions(
        default_shots=777,
        max_shots=5000,
        max_program_bytes=MAX_PROGRAM_BYTES,
        version="1.2.3",
        revision="76cb73e",
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

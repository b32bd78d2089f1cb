"""A request about a task of another project does the same work as one about a task that nobody has, on both databases.

So its duration does not tell whether the task exists; `tests/acceptance/test_isolation.py` compares more responses.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.api.requests.hosts import HostRule
from ketline.api.rights import RIGHTS
from ketline.db.audit import SqlAuditLog
from ketline.db.engine.database import Database, open_database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.tasks.programs import SqlProgramLibrary
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.usage import SqlUsageLedger
from ketline.db.webhooks.deliveries import SqlDeliveryLog
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.access.principals import Owner, Principal, ProjectName, Role
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.watch import Watch
from tests.api_services import services_over, with_access
from tests.contract.test_projects import ended, stored
from tests.fakes import FakeDeadLetterBox, FakeOutbox, FakeTaskPublisher
from tests.inspectors import FakeInspector
from tests.statements import Statements

OURS, THEIRS = ProjectName("ours"), ProjectName("theirs")
BODIES: Mapping[str, Mapping[str, Any]] = {
    "PATCH /tasks/{task_id}": {"json": {"name": "taken", "priority": 5}},
    "POST /ui/tasks/{task_id}/rerun": {"data": {"seed": "new"}},
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A request about a task, whose id is `{task_id}` in it."""

    method: str
    path: str
    json: Any = None
    data: Any = None
    headers: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.json or self.data or self.headers or ''}"


def _requests() -> Iterator[Sent]:
    """Those of all routes with the id of a task, and those that have one elsewhere."""
    for method, path in RIGHTS:
        if "{task_id}" in path:
            yield Sent(method, path, **BODIES.get(f"{method} {path}", {}))
        if "{task_id}" in path and method == "GET":
            yield Sent("HEAD", path)
            yield Sent(method, path, headers={"Prefer": "wait=30", "Last-Event-ID": "1"})
    yield Sent("POST", "/tasks/ended", json={"task_ids": ["{task_id}"]})
    for action in ("cancel", "rerun"):
        yield Sent("POST", "/ui/bulk", data={"action": action, "task": "{task_id}"})
        yield Sent("POST", "/ui/bulk", data={"action": action, "task": "{task_id}", "confirmed": "yes"})


class OneOperator:
    """Verifies every token as that of an operator of the project that it names."""

    def takes(self, token: str) -> bool:
        return True

    async def __call__(self, token: str) -> Principal:
        return Principal(project=ProjectName(token), role=Role.OPERATOR, owner=Owner("eve"))


@pytest.fixture
def statements() -> Iterator[Statements]:
    recorder = Statements()
    recorder.listen()
    yield recorder
    recorder.stop()


@pytest.fixture
async def database(statements: Statements, database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
def services(database: Database) -> Services:
    repository, outbox = SqlTaskRepository(database), FakeOutbox()
    made = services_over(
        repository,
        SqlTaskCatalogue(database),
        publisher=FakeTaskPublisher(),
        outbox=outbox,
        backlog=Backlog(repository, SystemClock(), cap=1000),
        watch=Watch(repository),
        inspector=FakeInspector(),
        library=SqlProgramLibrary(database),
        workers=SqlWorkerRegistry(database),
        dead_letters=FakeDeadLetterBox(),
        audit_log=SqlAuditLog(database),
        ledger=SqlUsageLedger(database),
    )
    authenticate = Authenticate([OneOperator()], SystemClock())
    return replace(with_access(made, authenticate=authenticate), deliveries=SqlDeliveryLog(database))


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    options = ApiOptions(
        default_shots=10,
        max_shots=100,
        max_program_bytes=2000,
        version="1",
        hosts=HostRule(names=frozenset({"ketline.test"})),
    )
    transport = httpx.ASGITransport(create_app(services, options))
    headers = {"X-Correlation-ID": "same"}
    async with httpx.AsyncClient(transport=transport, base_url="http://ketline.test", headers=headers) as client:
        yield client


@pytest.fixture
async def theirs(database: Database) -> Mapping[str, TaskId]:
    """Tasks of the other project, one of each kind that a route could tell from others."""
    repository = SqlTaskRepository(database, project=THEIRS)
    return {
        "pending": await stored(repository),
        "held": await stored(repository, hold=True),
        "completed": await ended(repository, TaskStatus.COMPLETED),
        "failed": await ended(repository, TaskStatus.FAILED),
    }


async def observed(
    http: httpx.AsyncClient, statements: Statements, sent: Sent, task_id: TaskId, project: ProjectName = OURS
) -> tuple[Sequence[str], tuple[object, ...]]:
    """The statements of a request about a task, with their arguments, and the response; the id replaced in both."""

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{task_id}", str(task_id))
        if isinstance(value, Mapping):
            return {name: filled(one) for name, one in value.items()}
        return [filled(one) for one in value] if isinstance(value, list) else value

    def without_id(text: str) -> str:
        return re.sub(f"{task_id}|{task_id.hex}", "ID", text, flags=re.IGNORECASE)

    statements.seen.clear()
    headers = {"Authorization": f"Bearer {project}", **(sent.headers or {})}
    path, json, data = filled(sent.path), filled(sent.json), filled(sent.data)
    response = await http.request(sent.method, path, json=json, data=data, headers=headers)
    received = (response.status_code, without_id(str(response.headers)), without_id(response.text))
    return [without_id(repr(one)) for one in statements.seen], received


async def test_task_of_another_project_costs_what_an_unknown_one_does(
    http: httpx.AsyncClient, statements: Statements, theirs: Mapping[str, TaskId]
) -> None:
    differing, idle = [], []
    for sent in _requests():
        await observed(http, statements, sent, TaskId(uuid4()))  # a new connection prepares statements
        expected = await observed(http, statements, sent, TaskId(uuid4()))
        if not any("ID" in statement for statement in expected[0]):
            idle.append(str(sent))
        for name, task_id in theirs.items():
            if await observed(http, statements, sent, task_id) != expected:
                differing.append((str(sent), name))
    assert differing == []
    # The confirmation of a change of several tasks names them, and reads none. Administrators see all projects' tasks;
    # nobody else gets so far.
    assert [one for one in idle if "/ui/bulk" not in one and "/admin/" not in one] == []


async def test_own_task_is_told_from_an_unknown_one(
    http: httpx.AsyncClient, statements: Statements, theirs: Mapping[str, TaskId]
) -> None:
    """The comparison can fail."""
    sent = Sent("DELETE", "/tasks/{task_id}")
    unknown = await observed(http, statements, sent, TaskId(uuid4()), THEIRS)
    own = await observed(http, statements, sent, theirs["completed"], THEIRS)
    assert own[0] != unknown[0]
    assert own[1] != unknown[1]

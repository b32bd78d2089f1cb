"""Two projects on one service, over HTTP: a member of one learns nothing of the tasks of the other.

The stranger is an operator of another project, who knows the ids, names, tags and cursors of the tasks.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ketline.api.rights import RIGHTS
from ketline.db.schema.migrate import migrate
from ketline.domain.access.principals import Role
from tests.acceptance.programs import BELL, ENDLESS
from tests.acceptance.projects import SharedService, distributed_shared_service, shared_service
from tests.blocks import long_after
from tests.forking.client import ForkServer
from tests.loops import await_apart
from tests.servers import PostgresServer

pytestmark = pytest.mark.timeout(600)

# In everything that the owner of the tasks writes.
MARK = "zqmarkqz"
LABELS = {"name": f"{MARK} name", "tags": [MARK], "metadata": {MARK: MARK}}
TEXT = f"// {MARK}\n"
MARKED_BELL = TEXT + BELL.replace("bit[2] c", f"bit[2] {MARK}").replace("c = measure", f"{MARK} = measure")
WIDE = f'OPENQASM 3.0;\n{TEXT}include "stdgates.inc";\nqubit[18] q;\nbit[18] {MARK};\nh q;\n{MARK} = measure q;\n'
TASKS: Mapping[str, dict[str, object]] = {
    "completed": {"qc": MARKED_BELL, "shots": 50, "memory": True},
    "failed": {"qc": f"OPENQASM 3.0; {MARK};"},
    "converted": {"qc": MARKED_BELL, "kind": "convert", "target": "openqasm3"},
    "large": {"qc": WIDE, "shots": 60_000},
    "held": {"qc": MARKED_BELL, "hold": True},
    "scheduled": {"qc": MARKED_BELL, "scheduled_for": (datetime.now(UTC) + timedelta(days=100)).isoformat()},
    "running": {"qc": TEXT + ENDLESS},
    "long": {"qc": f"// {MARK * 12_000}\n{MARKED_BELL}", "hold": True},
}
ENDED = ("completed", "failed", "converted", "large")
EXPLORING = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    max_examples=8,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request about a task, with its id as `{task_id}`."""

    method: str
    path: str
    json: object = None
    data: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def about(self, client: httpx.Client, task_id: str) -> httpx.Response:
        """The response for this task id, with the same correlation id for each."""
        body = None if self.json is None else json.loads(json.dumps(self.json).replace("{task_id}", task_id))
        data = (
            None if self.data is None else {name: one.replace("{task_id}", task_id) for name, one in self.data.items()}
        )
        headers = {"X-Correlation-ID": "same", **self.headers}
        path = self.path.replace("{task_id}", task_id)
        return client.request(self.method, path, json=body, data=data, headers=headers)


CONDITIONS: Sequence[Mapping[str, str]] = (
    {},
    {"If-None-Match": "*"},
    {"Range": "bytes=0-3"},
    {"Accept": "text/csv"},
    {"Last-Event-ID": "1"},
    {"HX-Request": "true"},
    {"Prefer": "wait=1"},
    {"Accept-Encoding": "gzip"},
)
QUERIES: Mapping[str, Sequence[str]] = {
    "/tasks/{task_id}": ("?wait=1", "?shape=plain", "?result=false"),
    "/tasks/{task_id}/counts": ("?top=1", f"?register={MARK}", "?point=0"),
    "/tasks/{task_id}/circuit": ("?format=svg", "?format=text", "?point=0"),
    "/ui/tasks/{task_id}": ("?point=0",),
}
BODIES: Mapping[str, Sequence[dict[str, Any]]] = {
    "PATCH /tasks/{task_id}": ({"json": {"name": "taken"}}, {"json": {"priority": 100}}, {"json": {}}),
    "POST /tasks/{task_id}/rerun": (
        {},
        {"json": {"seed": "new"}},
        {"headers": {"Idempotency-Key": MARK}},
    ),
    "POST /ui/tasks/{task_id}/rerun": ({"data": {"seed": "new"}},),
}
OTHERS = [
    *(
        Sent("POST", "/tasks/ended", json={"task_ids": ["{task_id}"], "until": until}, headers=headers)
        for until in ("all", "any")
        for headers in ({}, {"Prefer": "wait=1"})
    ),
    *(
        Sent("POST", "/ui/bulk", data={"action": action, "task": "{task_id}", **confirmed})
        for action in ("cancel", "rerun")
        for confirmed in ({}, {"confirmed": "yes"})
    ),
    Sent("GET", "/tasks/{task_id}/"),
    Sent("GET", "//tasks/{task_id}"),
    Sent("GET", "/tasks/../tasks/{task_id}"),
    Sent("GET", "/tasks/%7B{task_id}%7D"),
    Sent("GET", "/tasks/{task_id}%2Fcounts"),
    Sent("OPTIONS", "/tasks/{task_id}"),
    Sent("PUT", "/tasks/{task_id}"),
    Sent("GET", "/tasks?cursor={task_id}"),
    Sent("GET", "/tasks?tag={task_id}"),
]


def _requests() -> Iterator[Sent]:
    """Requests of every route that has a task id, and of those that take one elsewhere."""
    for method, path in RIGHTS:
        if "{task_id}" not in path:
            continue
        for given_body in BODIES.get(f"{method} {path}", ({},)):
            yield Sent(method, path, **given_body)
        if method == "GET":
            yield Sent("HEAD", path)
            yield from (Sent(method, path, headers=headers) for headers in CONDITIONS)
            yield from (Sent(method, path + query) for query in QUERIES.get(path, ()))
    yield from OTHERS


@dataclass(frozen=True, slots=True)
class Shared:
    """The service, the client of the owner with the ids of the tasks by their names, and the client of the stranger."""

    service: SharedService
    owner: httpx.Client
    stranger: httpx.Client
    task_ids: Mapping[str, str]
    keys: Sequence[str]

    def marks_in(self, text: str) -> Sequence[str]:
        """What a text has of the owner's."""
        return [mark for mark in (MARK, *self.task_ids.values(), *self.keys) if mark in text]


@pytest.fixture(scope="module", params=long_after(1, ["embedded", "distributed"]))
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer
) -> Iterator[Shared]:
    directory, slots = (
        tmp_path_factory.mktemp("isolation"),
        {"KETLINE_WORKER_SLOTS": "2", "KETLINE_SHUTDOWN_GRACE_S": "1"},
    )
    if request.param == "embedded":
        running = shared_service(directory, fork_server, **slots)
    else:
        database_url = request.getfixturevalue("shared_postgres_url")
        broker_url = request.getfixturevalue("rabbit_server").url
        running = distributed_shared_service(directory, fork_server, database_url, broker_url, **slots)
    with running as service:
        keys = [service.key(f"{MARK}-project", Role.SUBMITTER, MARK), service.key("strangers", Role.OPERATOR)]
        with service.client(keys[0]) as owner, service.client(keys[1]) as stranger:
            task_ids = {name: _submitted(owner, name, body) for name, body in TASKS.items()}
            yield Shared(service, owner, stranger, task_ids, keys[:1])


@pytest.fixture(scope="module")
def shared_postgres_url(postgres_server: PostgresServer) -> str:
    """A database of the session's PostgreSQL with the current schema, for all tests of this module."""
    name = f"isolation_{uuid4().hex}"

    async def create() -> None:
        await postgres_server.create_database(name)
        await migrate(postgres_server.url(name))

    await_apart(create())
    return postgres_server.url(name)


def _submitted(owner: httpx.Client, name: str, body: Mapping[str, object]) -> str:
    headers = {"Idempotency-Key": f"{MARK}-{name}", "X-Correlation-ID": f"{MARK}-{name}"}
    response = owner.post("/tasks", json={**LABELS, **body}, headers=headers)
    assert response.status_code == 202, response.text
    task_id = str(response.json()["task_id"])
    if name in ENDED:
        task = owner.get(f"/tasks/{task_id}?wait=60&result=false").json()
        assert task["status"] == ("failed" if name == "failed" else "completed"), task
    return task_id


def _comparable(answer: httpx.Response, task_id: str) -> tuple[int, Mapping[str, str], str]:
    """A response without the time, and with the id replaced."""
    headers = {name: value.replace(task_id, "ID") for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.text.replace(task_id, "ID")


def test_tasks_of_others_are_as_tasks_that_nobody_has(shared: Shared) -> None:
    before = {name: shared.owner.get(f"/tasks/{task_id}").content for name, task_id in shared.task_ids.items()}
    told = []
    for sent in _requests():
        unknown = str(uuid4())
        expected = _comparable(sent.about(shared.stranger, unknown), unknown)
        for name, task_id in shared.task_ids.items():
            response = sent.about(shared.stranger, task_id)
            if (found := _comparable(response, task_id)) != expected or MARK in response.text.replace(sent.path, ""):
                told.append((sent, name, found, expected))
    assert told == []
    after = {name: shared.owner.get(f"/tasks/{task_id}").content for name, task_id in shared.task_ids.items()}
    assert after == before, "a stranger changed them"


def test_lists_pages_and_figures_are_those_of_the_project(shared: Shared) -> None:
    for path in [path for method, path in RIGHTS if method == "GET" and "{" not in path and path != "/tasks/events"]:
        assert shared.marks_in(shared.stranger.get(path).text) == [], path
    with shared.service.client(shared.service.key("newcomers", Role.OPERATOR)) as newcomer:
        assert set(newcomer.get("/tasks/stats").json()["counts"].values()) == {0}
        assert newcomer.get("/tasks").json()["tasks"] == []
        assert [one["tasks"] for one in newcomer.get("/workers").json()["workers"]] == [[]]


@pytest.mark.parametrize(
    "path", ["/tasks?tag=MARK", "/tasks?name=MARK%20name", "/tasks?name=MARK*", "/ui/tasks?tag=MARK"]
)
def test_names_and_tags_of_others_are_as_those_that_nobody_has(shared: Shared, path: str) -> None:
    responses = [
        _comparable(Sent("GET", path.replace("MARK", mark)).about(shared.stranger, ""), mark)
        for mark in (MARK, MARK[::-1])
    ]
    assert responses[0] == responses[1]


@pytest.mark.parametrize("path", ["/tasks", "/ui/tasks"])
def test_cursor_of_others_is_a_place_in_the_own_list(shared: Shared, path: str) -> None:
    following = shared.owner.get("/tasks?limit=1").json()["next"]
    cursor = following.partition("cursor=")[2]
    response = shared.stranger.get(f"{path}?limit=1&cursor={cursor}")
    assert shared.marks_in(response.text.replace(cursor, "")) == []


def test_the_same_idempotency_key_is_another_task(shared: Shared) -> None:
    for name in ("held", "completed"):
        headers = {"Idempotency-Key": f"{MARK}-{name}"}
        response = shared.stranger.post("/tasks", json={"qc": BELL, "hold": True}, headers=headers)
        assert response.status_code == 202, "another body under the key of another project is no conflict"
        assert "idempotent-replayed" not in response.headers
        assert shared.marks_in(response.text) == []
        assert shared.stranger.post(f"/tasks/{response.json()['task_id']}/cancel").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Last-Event-ID": "0"}], ids=["from now", "from the beginning"])
@pytest.mark.parametrize("query", ["", f"?tag={MARK}"], ids=["all", "tag"])
def test_streams_have_the_events_of_the_project(shared: Shared, headers: dict[str, str], query: str) -> None:
    tags = [MARK] if query else []
    with shared.stranger.stream("GET", f"/tasks/events{query}", headers=headers) as stream:
        theirs = _submitted(shared.owner, str(uuid4()), {"qc": BELL, "hold": True})
        assert shared.owner.post(f"/tasks/{theirs}/cancel").status_code == 200
        own = shared.stranger.post("/tasks", json={"qc": BELL, "hold": True, "tags": tags}).json()["task_id"]
        seen: list[str] = []
        for line in stream.iter_lines():
            if line.startswith("data:"):
                seen.append(json.loads(line[5:])["task_id"])
                if seen[-1] == own:
                    break
    assert shared.stranger.post(f"/tasks/{own}/cancel").status_code == 200
    assert not {theirs, *shared.task_ids.values()} & set(seen)


def test_whatever_a_stranger_sends_has_nothing_of_others(shared: Shared) -> None:
    described = shared.stranger.get("/openapi.json").json()
    operations: list[Any] = list(schemathesis.openapi.from_dict(described).get_all_operations())
    for operation in [one.ok() for one in operations]:
        if operation.path != "/tasks/events":
            _explore(shared, operation)


def _explore(shared: Shared, operation: Any) -> None:
    @EXPLORING
    @given(operation.as_strategy(), st.sampled_from(sorted(shared.task_ids.values())))
    def explore(case: Any, task_id: str) -> None:
        if "task_id" in case.path_parameters:
            case.path_parameters["task_id"] = task_id
        if isinstance(case.query, dict) and "tag" in case.query:
            case.query["tag"] = [MARK]
        if isinstance(case.body, dict) and "task_ids" in case.body:
            case.body["task_ids"] = [task_id]
        for waits in (case.query, case.headers):
            for name in [one for one in waits or () if one.lower() in {"wait", "prefer"}]:
                del waits[name]
        response = case.call(base_url=shared.service.url, headers=dict(shared.stranger.headers))
        assert response.status_code < 500
        assert [mark for mark in shared.marks_in(response.text.replace(task_id, "")) if mark != MARK] == []
        assert MARK not in re.sub(rf'"{MARK}"', "", response.text), response.text

    explore()

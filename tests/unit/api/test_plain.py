"""The plain shape of a task, for clients of older services."""

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from openapi_spec_validator import validate

from ketline.api.app import ApiOptions, create_app
from ketline.domain.circuits.program_format import Target
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.results.result import Conversion, MediaType, Point
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.remote_job import RemoteJob, RemoteStatus
from ketline.domain.tasks.task import Task
from ketline.schemas.legacy import ResultShape
from ketline.service.services import Services
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_read import COMPLETED, FAILED, TASK_ID, task

PATH = f"/tasks/{TASK_ID}"
NOT_FOUND = {"status": "error", "message": "Task not found."}
IN_PROGRESS = ("pending", "Task is still in progress.")
CANCELLED = Failure(code=FailureCode.CANCELLED, message="cancelled while it ran")


@pytest.fixture
async def plain_client(services: Services, options: ApiOptions) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service whose shape is the plain one."""
    app = create_app(services, replace(options, result_shape=ResultShape.PLAIN))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as client:
        yield client


@pytest.fixture
def store(repository: FakeTaskRepository) -> Any:
    def stored(one: Task) -> None:
        repository.tasks[TASK_ID] = one

    return stored


async def test_result_is_the_bare_counts(client: httpx.AsyncClient, store: Any) -> None:
    store(COMPLETED)
    plain, full = [(await client.get(PATH + query)).json() for query in ("?shape=plain", "")]
    assert plain["result"] == {"00": 512, "11": 512}
    assert {**plain, "result": full["result"]} == full


async def test_error_is_text_with_its_place(client: httpx.AsyncClient, store: Any) -> None:
    store(FAILED)
    plain = (await client.get(PATH + "?shape=plain")).json()
    assert (plain["status"], plain["message"]) == ("failed", "Task execution failed.")
    assert plain["error"] == "line 3, column 7: unexpected ';'"
    assert "result" not in plain


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure(code=FailureCode.TIMEOUT, message="stopped after 60 s"), "stopped after 60 s"),
        (Failure(code=FailureCode.UNSUPPORTED, message="no `delay`", line=2), "line 2: no `delay`"),
    ],
)
async def test_error_without_a_place_is_its_message(
    client: httpx.AsyncClient, store: Any, failure: Failure, text: str
) -> None:
    store(task(TaskStatus.FAILED, failure=failure))
    assert (await client.get(PATH + "?shape=plain")).json()["error"] == text


@pytest.mark.parametrize("status", [TaskStatus.PENDING, TaskStatus.PROCESSING])
async def test_task_that_has_not_ended_is_pending(client: httpx.AsyncClient, store: Any, status: TaskStatus) -> None:
    store(task(status))
    plain = (await client.get(PATH + "?shape=plain")).json()
    assert (plain["status"], plain["message"]) == IN_PROGRESS
    assert not {"result", "error"} & set(plain)


@pytest.mark.parametrize(("failure", "text"), [(None, "Task was cancelled."), (CANCELLED, CANCELLED.message)])
async def test_cancelled_task_has_failed_so_that_clients_stop_polling(
    client: httpx.AsyncClient, store: Any, failure: Failure | None, text: str
) -> None:
    store(task(TaskStatus.CANCELLED, failure=failure))
    plain = (await client.get(PATH + "?shape=plain")).json()
    assert (plain["status"], plain["message"], plain["error"]) == ("failed", "Task was cancelled.", text)


async def test_counts_of_a_sweep_are_a_list(client: httpx.AsyncClient, store: Any) -> None:
    store(replace(COMPLETED, counts=None, points=[Point(counts={"0": 1}), Point(counts={"1": 1})]))
    assert (await client.get(PATH + "?shape=plain")).json()["result"] == [{"0": 1}, {"1": 1}]


async def test_expectation_values_are_a_list(client: httpx.AsyncClient, store: Any) -> None:
    store(replace(COMPLETED, counts=None, expectation_values=[0.5, -1.0]))
    assert (await client.get(PATH + "?shape=plain")).json()["result"] == [0.5, -1.0]


async def test_result_of_a_conversion_is_its_output(client: httpx.AsyncClient, store: Any) -> None:
    output = Conversion("; ModuleID = 'bell'", MediaType.TEXT)
    store(replace(COMPLETED, counts=None, kind=TaskKind.CONVERT, target=Target.QIR, conversion=output))
    assert (await client.get(PATH + "?shape=plain")).json()["result"] == "; ModuleID = 'bell'"


async def test_job_that_waits_at_a_backend_is_shown_as_submitted(client: httpx.AsyncClient, store: Any) -> None:
    waiting = task(TaskStatus.PROCESSING)
    store(replace(waiting, kind=TaskKind.RUN, backend="lab", remote_job=RemoteJob()))
    assert "result" not in (await client.get(PATH + "?shape=plain")).json()
    store(replace(waiting, kind=TaskKind.RUN, backend="lab", remote_job=RemoteJob("job-7", RemoteStatus.QUEUED)))
    plain = (await client.get(PATH + "?shape=plain")).json()
    assert (plain["status"], plain["result"]) == ("pending", {"status": "submitted", "job_id": "job-7"})
    assert "result" not in (await client.get(PATH)).json()
    store(replace(waiting, wait_for_completion=True, kind=TaskKind.RUN, backend="lab", remote_job=RemoteJob("job-7")))
    plain = (await client.get(PATH + "?shape=plain")).json()
    assert (plain["status"], "result" in plain) == ("pending", False), "this client waits for completion"
    assert plain["remote_job"]["id"] == "job-7"
    store(replace(COMPLETED, kind=TaskKind.RUN, backend="lab", remote_job=RemoteJob("job-7", RemoteStatus.DONE)))
    assert (await client.get(PATH + "?shape=plain")).json()["result"] == {"00": 512, "11": 512}


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_large_result_is_bare_too(client: httpx.AsyncClient, store: Any, encoding: str) -> None:
    counts = {f"{number:020b}": 1 for number in range(20_000)}
    store(replace(COMPLETED, counts=counts))
    async with client.stream("GET", PATH + "?shape=plain", headers={"Accept-Encoding": encoding}) as response:
        raw = b"".join([part async for part in response.aiter_raw()])
    body = gzip.decompress(raw) if encoding == "gzip" else raw
    assert response.headers.get("content-encoding", "identity") == encoding
    plain = httpx.Response(200, content=body).json()
    assert (plain["status"], plain["result"]) == ("completed", counts)
    without = (await client.get(PATH + "?shape=plain&result=false")).json()
    assert without == {name: value for name, value in plain.items() if name != "result"}


@pytest.mark.parametrize("task_id", ["11111111-2222-4333-8444-777777777777", "12345", "no-such-task"])
async def test_task_that_does_not_exist(client: httpx.AsyncClient, task_id: str) -> None:
    for path in (f"/tasks/{task_id}?shape=plain", f"/tasks/{task_id}?shape=plain&wait=0"):
        response = await client.get(path)
        assert (response.status_code, response.headers["content-type"]) == (404, "application/json")
        assert response.json() == NOT_FOUND


async def test_whole_service_has_the_plain_shape(plain_client: httpx.AsyncClient, store: Any) -> None:
    assert (await plain_client.get(PATH)).json() == NOT_FOUND
    store(COMPLETED)
    assert (await plain_client.get(PATH)).json()["result"] == {"00": 512, "11": 512}
    assert (await plain_client.get(f"{PATH}/counts")).json() == {"00": 512, "11": 512}


@pytest.mark.parametrize(
    ("query", "headers", "plain"),
    [
        ("", {}, True),
        ("?shape=full", {}, False),
        ("", {"Prefer": "shape=full"}, False),
        ("", {"Prefer": 'wait=1, shape="full"'}, False),
        ("?shape=plain", {"Prefer": "shape=full"}, True),
        ("", {"Prefer": "shape=round"}, True),
        ("", {"Prefer": "shape=fuller"}, True),
    ],
)
async def test_request_has_precedence_over_the_service(
    plain_client: httpx.AsyncClient, store: Any, query: str, headers: dict[str, str], plain: bool
) -> None:
    missing = await plain_client.get(f"/tasks/{uuid4()}{query}", headers=headers)
    assert (missing.json() == NOT_FOUND) is plain
    store(COMPLETED)
    response = await plain_client.get(PATH + query, headers=headers)
    assert ("counts" not in response.json()["result"]) is plain


@pytest.mark.parametrize("query", ["?shape=round", "?shape=", "?shape=PLAIN"])
async def test_unknown_shape_is_rejected_by_name(client: httpx.AsyncClient, store: Any, query: str) -> None:
    store(COMPLETED)
    response = await client.get(PATH + query)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"] == [{"parameter": "shape", "detail": "must be 'full' or 'plain'"}]


async def test_other_routes_have_no_shapes(plain_client: httpx.AsyncClient, store: Any) -> None:
    missing = await plain_client.get(f"{PATH}/counts")
    assert (missing.status_code, missing.json()["code"]) == (404, "task_not_found")
    store(COMPLETED)
    response = await plain_client.get(f"{PATH}/counts?shape=plain")
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "shape")
    assert (await plain_client.post(f"{PATH}/cancel")).json()["code"] == "task_ended"


async def test_openapi_describes_the_shape_of_the_service(
    client: httpx.AsyncClient, plain_client: httpx.AsyncClient
) -> None:
    plain, full = [(await one.get("/openapi.json")).json() for one in (plain_client, client)]
    validate(plain)
    shown = plain["paths"]["/tasks/{task_id}"]["get"]["responses"]
    assert shown["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/PlainTask"}
    assert list(shown["404"]["content"]) == ["application/json"]
    assert plain["components"]["schemas"]["PlainTask"]["properties"]["error"]["type"] == "string"
    assert "PlainTask" not in full["components"]["schemas"]

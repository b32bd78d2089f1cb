import httpx
import pytest
from pydantic import ConfigDict
from structlog.testing import capture_logs

from ketline.api.responses.errors import KINDS
from ketline.domain.errors import ConfigurationInvalid, QueueUnavailable
from ketline.schemas.problems import Problem
from tests.fakes import FakeTaskRepository

TASK = "/tasks/11111111-2222-4333-8444-555555555555"


class StrictProblem(Problem):
    model_config = ConfigDict(extra="forbid")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "path_not_found"),
        ("POST", "/nothing", 404, "path_not_found"),
        ("OPTIONS", "/nothing", 404, "path_not_found"),
        ("GET", "/tasks/", 404, "path_not_found"),
        ("POST", "/tasks/", 404, "path_not_found"),
        ("GET", TASK + "/", 404, "path_not_found"),
        ("GET", "/docs/", 404, "path_not_found"),
        ("GET", "/docs/oauth2-redirect", 404, "path_not_found"),
        ("GET", "/redoc", 404, "path_not_found"),
        ("GET", TASK, 404, "task_not_found"),
        ("PUT", "/tasks", 405, "method_not_allowed"),
        ("POST", TASK, 405, "method_not_allowed"),
        ("PATCH", TASK + "/counts", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("POST", "/openapi.json", 405, "method_not_allowed"),
        ("BREW", "/tasks", 405, "method_not_allowed"),
        ("POST", "/tasks", 422, "invalid_json"),
        ("GET", "/tasks/x", 404, "task_not_found"),
        ("POST", "/tasks/x/cancel", 422, "invalid_request"),
    ],
)
async def test_every_rejection_is_a_problem_document(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path, headers={"X-Correlation-ID": "c-9"})

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = StrictProblem.model_validate_json(response.content)
    assert (problem.status, problem.code, problem.type) == (status, code, f"/problems/{code}")
    assert (problem.title, problem.correlation_id) == (KINDS[code].title, "c-9")
    assert problem.message == problem.detail != ""


async def test_not_found_says_so(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", TASK):
        assert "not found" in (await client.get(path)).json()["detail"]


async def test_a_path_is_never_echoed(client: httpx.AsyncClient) -> None:
    assert "passwd" not in (await client.get("/../../etc/passwd?<script>")).text


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/tasks", "GET, HEAD, OPTIONS, POST"),
        ("POST", TASK, "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("POST", "/docs", "GET, HEAD, OPTIONS"),
    ],
)
async def test_405_lists_what_is_allowed(client: httpx.AsyncClient, method: str, path: str, allow: str) -> None:
    assert (await client.request(method, path)).headers["allow"] == allow


@pytest.mark.parametrize(
    ("path", "allow"), [("/tasks", "GET, HEAD, OPTIONS, POST"), (TASK, "DELETE, GET, HEAD, OPTIONS, PATCH")]
)
async def test_options_lists_what_is_allowed(client: httpx.AsyncClient, path: str, allow: str) -> None:
    response = await client.options(path)
    assert (response.status_code, response.headers["allow"], response.content) == (204, allow, b"")


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/health", "/livez", "/readyz", TASK, "/nothing"])
async def test_head_answers_as_get_without_a_body(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


async def test_an_unexpected_error_is_logged_and_not_returned(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = RuntimeError("password=hunter2")
    with capture_logs() as lines:
        response = await client.get(TASK, headers={"X-Correlation-ID": "c-9"})

    problem = StrictProblem.model_validate_json(response.content)
    assert (response.status_code, problem.code, problem.correlation_id) == (500, "internal_error", "c-9")
    assert response.headers["x-correlation-id"] == "c-9"
    assert "hunter2" not in response.text
    failed, request = lines
    assert (failed["event"], failed["log_level"], failed["exc_info"]) == ("http.failed", "error", True)
    assert (request["event"], request["status"], request["problem"]) == ("http.request", 500, "internal_error")


async def test_a_domain_error_without_a_problem_is_an_internal_error(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = ConfigurationInvalid("no such driver")
    response = await client.get(TASK)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")


async def test_the_operator_reads_why_a_service_is_unavailable(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = QueueUnavailable("no route to broker")
    with capture_logs() as lines:
        response = await client.get(TASK)
    assert (response.status_code, response.json()["code"]) == (503, "queue_unavailable")
    assert "broker" not in response.text
    assert lines[0]["event"] == "http.refused"
    assert lines[0]["reason"] == "no route to broker"

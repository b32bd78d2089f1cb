from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import httpx
import pytest

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import CorrelationId, LeaseToken, TaskId, WorkerId
from ketline.domain.results.result import Profile, ProgramWarning, WarningCode
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import StatusChange, Task
from tests.fakes import FakeTaskRepository

TASK_ID = TaskId(UUID("11111111-2222-4333-8444-555555555555"))
NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
TOKEN = LeaseToken(UUID("99999999-9999-4999-8999-999999999999"))
PROFILE = Profile(
    method="stabilizer",
    qubits=2,
    depth=3,
    operations={"h": 1, "cx": 1, "measure": 2},
    parsing_seconds=0.25,
    simulating_seconds=0.5,
    queued_seconds=0.125,
)
CREATED = StatusChange(status=TaskStatus.PENDING, transitioned_at=NOON, notes="Task created and queued")
CLAIMED = StatusChange(
    status=TaskStatus.PROCESSING,
    transitioned_at=NOON + timedelta(microseconds=5),
    attempt=1,
    lease_token=TOKEN,
    worker_id=WorkerId("w-1"),
)


def task(
    status: TaskStatus,
    *,
    counts: Mapping[str, int] | None = None,
    profile: Profile | None = None,
    failure: Failure | None = None,
    completed_at: datetime | None = None,
) -> Task:
    return Task(
        task_id=TASK_ID,
        shots=1024,
        status=status,
        submitted_at=NOON,
        correlation_id=CorrelationId("c-1"),
        attempt=1,
        completed_at=completed_at,
        counts=counts,
        profile=profile,
        failure=failure,
        history=(CREATED, CLAIMED),
    )


COMPLETED = task(TaskStatus.COMPLETED, counts={"00": 512, "11": 512}, profile=PROFILE, completed_at=NOON)
FAILED = task(
    TaskStatus.FAILED, failure=Failure(code=FailureCode.PARSE_ERROR, message="unexpected ';'", line=3, column=7)
)
HISTORY = [
    {"status": "pending", "transitioned_at": "2026-03-04T12:00:00.000000Z", "notes": "Task created and queued"},
    {"status": "processing", "transitioned_at": "2026-03-04T12:00:00.000005Z", "attempt": 1, "worker_id": "w-1"},
]

UNCHOSEN = {"method": "automatic", "retry_count": 0, "updated_at": "2026-03-04T12:00:00.000005Z"}


async def read(
    client: httpx.AsyncClient, repository: FakeTaskRepository, stored: Task, path: str = ""
) -> httpx.Response:
    repository.tasks[TASK_ID] = stored
    return await client.get(f"/tasks/{TASK_ID}{path}")


async def test_a_completed_task_has_its_result_and_profile(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    response = await read(client, repository, COMPLETED)
    assert response.status_code == 200
    assert response.json() == {
        "task_id": str(TASK_ID),
        "status": "completed",
        "submitted_at": "2026-03-04T12:00:00.000000Z",
        "completed_at": "2026-03-04T12:00:00.000000Z",
        "message": "Task completed successfully.",
        "shots": 1024,
        **UNCHOSEN,
        "result": {"counts": {"00": 512, "11": 512}, "shots": 1024, "success": True},
        "profile": {
            "method": "stabilizer",
            "qubits": 2,
            "depth": 3,
            "operations": {"h": 1, "cx": 1, "measure": 2},
            "queued_seconds": 0.125,
            "parsing_seconds": 0.25,
            "simulating_seconds": 0.5,
        },
        "status_history": HISTORY,
        "correlation_id": "c-1",
    }


async def test_warnings_about_the_program_come_with_its_profile(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    warnings = (
        ProgramWarning(code=WarningCode.PRAGMA_IGNORED, message="ignored", line=3, column=1),
        ProgramWarning(code=WarningCode.ANNOTATION_IGNORED, message="ignored too"),
    )
    response = await read(client, repository, replace(COMPLETED, profile=replace(PROFILE, warnings=warnings)))
    assert response.json()["profile"]["warnings"] == [
        {"code": "pragma_ignored", "message": "ignored", "line": 3, "column": 1},
        {"code": "annotation_ignored", "message": "ignored too"},
    ]


async def test_lease_tokens_stay_inside(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    assert str(TOKEN) not in (await read(client, repository, COMPLETED)).text


async def test_a_failed_task_has_its_error(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    body = (await read(client, repository, FAILED)).json()
    assert (body["status"], body["message"]) == ("failed", "Task execution failed.")
    assert body["error"] == {"code": "parse_error", "message": "unexpected ';'", "line": 3, "column": 7}
    assert "result" not in body


async def test_an_unknown_position_of_an_error_is_left_out(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    stored = task(TaskStatus.FAILED, failure=Failure(code=FailureCode.TIMEOUT, message="stopped after 60 s"))
    body = (await read(client, repository, stored)).json()
    assert body["error"] == {"code": "timeout", "message": "stopped after 60 s"}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (TaskStatus.PENDING, "Task is still in progress."),
        (TaskStatus.PROCESSING, "Task is being processed."),
        (TaskStatus.CANCELLED, "Task was cancelled."),
    ],
)
async def test_fields_without_a_value_are_left_out(
    client: httpx.AsyncClient, repository: FakeTaskRepository, status: TaskStatus, message: str
) -> None:
    assert (await read(client, repository, task(status))).json() == {
        "task_id": str(TASK_ID),
        "status": status,
        "submitted_at": "2026-03-04T12:00:00.000000Z",
        "message": message,
        "shots": 1024,
        **UNCHOSEN,
        "status_history": HISTORY,
        "correlation_id": "c-1",
    }


async def test_task_shows_what_was_requested(client: httpx.AsyncClient) -> None:
    asked = {"method": "stim", "memory": True, "inputs": {"a": [1, 2]}, "timeout_s": 2.5, "max_attempts": 2}
    address = (await client.post("/tasks", json={"qc": "x", **asked})).headers["location"]
    body = (await client.get(address)).json()
    assert {name: body[name] for name in asked} == asked
    assert (body["retry_count"], body["max_retries"]) == (0, 1)
    assert body["updated_at"] == body["status_history"][-1]["transitioned_at"]


async def test_observables_are_shown_as_they_were_submitted(client: httpx.AsyncClient) -> None:
    observables = [{"ZZ": 1.0}, {"XX": 0.5}]
    address = (await client.post("/tasks", json={"qc": "x", "observables": observables})).headers["location"]
    assert (await client.get(address)).json()["observables"] == observables


async def test_only_attempts_that_counted_are_retries(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    causes = ["worker_lost", "machine_busy", "worker_stopped", "timeout", "database_outage"]
    back = [replace(CREATED, attempt=1, cause=cause) for cause in causes]
    body = (await read(client, repository, replace(FAILED, history=(CREATED, *back, CLAIMED)))).json()
    assert body["retry_count"] == 2


async def test_release_counts_as_an_update(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    released = replace(task(TaskStatus.PENDING), hold=True, released_at=NOON + timedelta(hours=1))
    body = (await read(client, repository, released)).json()
    assert body["updated_at"] == body["released_at"] == "2026-03-04T13:00:00.000000Z"


async def test_times_of_other_zones_are_written_in_utc(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    stored = task(TaskStatus.COMPLETED, counts={}, completed_at=NOON.astimezone(timezone(timedelta(hours=5))))
    assert (await read(client, repository, stored)).json()["completed_at"] == "2026-03-04T12:00:00.000000Z"


async def test_counts_are_a_bare_map(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await read(client, repository, COMPLETED, "/counts")
    assert (response.status_code, response.json()) == (200, {"00": 512, "11": 512})


@pytest.mark.parametrize(
    ("stored", "code"),
    [
        (task(TaskStatus.PENDING), "result_not_ready"),
        (task(TaskStatus.PROCESSING), "result_not_ready"),
        (task(TaskStatus.CANCELLED), "task_cancelled"),
        (FAILED, "task_failed"),
    ],
)
async def test_counts_of_a_task_without_result_are_a_conflict(
    client: httpx.AsyncClient, repository: FakeTaskRepository, stored: Task, code: str
) -> None:
    response = await read(client, repository, stored, "/counts")
    problem = response.json()
    assert (response.status_code, problem["code"], problem["task_status"]) == (409, code, stored.status)
    assert ("error" in problem) == (stored.failure is not None)


async def test_counts_of_a_failed_task_say_why(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    problem = (await read(client, repository, FAILED, "/counts")).json()
    assert problem["error"] == {"code": "parse_error", "message": "unexpected ';'", "line": 3, "column": 7}


@pytest.mark.parametrize("path", ["", "/counts"])
async def test_an_unknown_task_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    task_id = uuid4()
    response = await client.get(f"/tasks/{task_id}{path}")
    assert (response.status_code, response.json()["code"]) == (404, "task_not_found")
    assert response.json()["detail"] == f"Task {task_id} was not found."


@pytest.mark.parametrize("path", ["", "/counts", "/memory", "/circuit", "/events", "?wait=1", "?wait=never"])
@pytest.mark.parametrize("task_id", ["1", "xyz", f"{TASK_ID}0", "%00", "%F0%9F%98%80", "x" * 5000, "..%5c"])
async def test_a_malformed_id_is_that_of_no_task(client: httpx.AsyncClient, task_id: str, path: str) -> None:
    response = await client.get(f"/tasks/{task_id}{path}")
    problem = response.json()
    assert (response.status_code, problem["code"]) == (404, "task_not_found")
    assert problem["detail"] == "The task was not found: its id is not a UUID."


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/cancel"), ("POST", "/enqueue"), ("POST", "/rerun"), ("PATCH", ""), ("DELETE", "")]
)
async def test_a_change_of_a_malformed_id_is_rejected(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, f"/tasks/xyz{path}", headers={"Content-Type": "application/json"})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request")
    assert problem["errors"] == [{"detail": "must be a UUID", "parameter": "task_id"}]


@pytest.mark.parametrize("path", ["", "/counts"])
async def test_database_down_answers_503(client: httpx.AsyncClient, repository: FakeTaskRepository, path: str) -> None:
    repository.error = DatabaseUnavailable("gone")
    response = await client.get(f"/tasks/{TASK_ID}{path}")
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")

"""Pauses, drains, interventions in tasks and vacuum over HTTP, and where the state of claims is shown."""

from uuid import UUID

import httpx
import pytest

from ketline.domain.attempts.claim_stops import Drain
from ketline.domain.errors import DatabaseUnavailable, TaskEnded, TaskRunning, TaskWaits
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from tests.fake_access import FakeAuditLog
from tests.fake_administration import FakeClaimControls, FakeInterventions
from tests.fakes import FakeOutbox

TASK_ID = TaskId(UUID("7f0c8a52-1111-4111-8111-111111111111"))
UNKNOWN = UUID("2c9d6e10-2222-4222-8222-222222222222")
RUNNING = TaskRunning("Task 1 is running on worker-1, which is alive.", status=TaskStatus.PROCESSING)


async def test_pause_is_shown_everywhere_until_it_is_removed(client: httpx.AsyncClient) -> None:
    assert (await client.get("/admin/pauses")).json() == {"pauses": []}
    paused = await client.post("/admin/pauses", json={"queue": "convert", "reason": "library upgrade"})
    [pause] = paused.json()["pauses"]
    assert (paused.status_code, pause["queue"], pause["reason"]) == (200, "convert", "library upgrade")
    assert (await client.post("/admin/pauses")).status_code == 200, "the body may be left out"
    for path in ("/admin/pauses", "/tasks/stats", "/workers"):
        assert [one["queue"] for one in (await client.get(path)).json()["pauses"]] == ["all", "convert"]
    assert (await client.get("/health")).json()["paused"] is True
    page = (await client.get("/ui/system")).text
    assert "Claims of convert are paused" in page
    assert "library upgrade" in page
    left = await client.delete("/admin/pauses/all")
    assert [one["queue"] for one in left.json()["pauses"]] == ["convert"]
    assert (await client.delete("/admin/pauses/all")).status_code == 200
    assert (await client.delete("/admin/pauses")).json() == {"pauses": []}
    assert "pauses" not in (await client.get("/tasks/stats")).json()
    assert "paused" not in (await client.get("/health")).json()


async def test_health_check_answers_while_pauses_cannot_be_read(
    client: httpx.AsyncClient, controls: FakeClaimControls
) -> None:
    controls.error = DatabaseUnavailable("down")
    health = await client.get("/health")
    assert (health.status_code, "paused" in health.json()) == (200, False)
    assert (await client.get("/tasks/stats")).status_code == 503


async def test_drain_of_a_worker_is_begun_and_ended(client: httpx.AsyncClient, controls: FakeClaimControls) -> None:
    controls.drains["worker-1"] = Drain(worker_id="worker-1", draining_since=None)
    begun = await client.post("/admin/workers/worker-1/drain")
    assert (begun.status_code, "draining_since" in begun.json(), begun.json()["tasks"]) == (200, True, 0)
    ended = await client.delete("/admin/workers/worker-1/drain")
    assert ended.json() == {"worker_id": "worker-1", "tasks": 0}


async def test_requeued_task_is_dispatched_at_once(
    client: httpx.AsyncClient, interventions: FakeInterventions, outbox: FakeOutbox
) -> None:
    interventions.known.add(TASK_ID)
    assert (await client.post(f"/admin/tasks/{TASK_ID}/requeue")).json() == {
        "task_id": str(TASK_ID),
        "requeued": "published",
    }
    forced = await client.post(f"/admin/tasks/{TASK_ID}/requeue", json={"force": True})
    assert forced.json()["requeued"] == "taken_back"
    assert interventions.requeued == [(TASK_ID, False), (TASK_ID, True)]
    assert outbox.nudges == 2


async def test_failed_task_has_the_reason(client: httpx.AsyncClient, interventions: FakeInterventions) -> None:
    interventions.known.add(TASK_ID)
    response = await client.post(f"/admin/tasks/{TASK_ID}/fail", json={"reason": " its backend is gone "})
    assert response.json() == {"task_id": str(TASK_ID), "code": "failed_by_administrator"}
    assert interventions.failed == [(TASK_ID, "its backend is gone")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RUNNING, "task_running"),
        (TaskWaits("Task 1 is held.", status=TaskStatus.PENDING), "task_waits"),
        (TaskEnded("Task 1 is completed.", status=TaskStatus.COMPLETED), "task_ended"),
    ],
)
async def test_rejection_says_why_and_the_status(
    client: httpx.AsyncClient, interventions: FakeInterventions, error: Exception, code: str
) -> None:
    interventions.error = error
    response = await client.post(f"/admin/tasks/{TASK_ID}/requeue")
    problem = response.json()
    assert (response.status_code, problem["code"], problem["detail"]) == (409, code, str(error))
    assert problem["task_status"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/admin/pauses", {"queue": "everything"}, 422, "invalid_request"),
        ("POST", "/admin/pauses", {"reason": ""}, 422, "invalid_request"),
        ("POST", "/admin/pauses", {"reason": "two\nlines"}, 422, "invalid_request"),
        ("POST", "/admin/pauses", {"why": "x"}, 422, "invalid_request"),
        ("DELETE", "/admin/pauses/everything", None, 422, "invalid_request"),
        ("POST", "/admin/workers/nobody/drain", None, 404, "worker_unknown"),
        ("DELETE", "/admin/workers/nobody/drain", None, 404, "worker_unknown"),
        ("POST", f"/admin/tasks/{UNKNOWN}/requeue", None, 404, "task_not_found"),
        ("POST", "/admin/tasks/7/requeue", None, 422, "invalid_request"),
        ("POST", f"/admin/tasks/{UNKNOWN}/fail", {"reason": "why"}, 404, "task_not_found"),
        ("POST", f"/admin/tasks/{UNKNOWN}/fail", {}, 422, "invalid_request"),
        ("POST", f"/admin/tasks/{UNKNOWN}/fail", {"reason": "x" * 501}, 422, "invalid_request"),
    ],
)
async def test_mistakes_are_problems(
    client: httpx.AsyncClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    response = await client.request(method, path, json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_vacuum_says_what_it_freed_and_is_recorded(client: httpx.AsyncClient, audit_log: FakeAuditLog) -> None:
    done = (await client.post("/admin/vacuum")).json()
    assert (done["tasks_deleted"], done["bytes_before"], done["bytes_after"]) == (0, 4096, 2048)
    [entry] = (await audit_log.find(None, None, 10)).entries
    assert entry.record.action == "database.vacuumed"

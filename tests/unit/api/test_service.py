from datetime import UTC, datetime
from uuid import UUID

import httpx

from ketline.domain.attempts.worker import CurrentTask, LiveWorker, WorkerCondition, WorkerIdentity
from ketline.domain.circuits.gates import GATES
from ketline.domain.circuits.method import Method
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import TaskId, WorkerId
from tests.inspectors import FakeWorkerRegistry

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WRITTEN = "2026-01-02T03:04:05.000000Z"
SHORT = WorkerCondition(ready_slots=1, problem="too many open files")
TASK = TaskId(UUID("11111111-2222-4333-8444-555555555555"))


async def test_backend_tells_methods_limits_gates_and_versions(client: httpx.AsyncClient) -> None:
    (backend,) = (await client.get("/backends")).json()["backends"]
    assert backend["name"] == "ketline-aer"
    assert {method["name"] for method in backend["methods"]} == set(Method) - {Method.EXTENDED_STABILIZER}
    assert all(method["description"] for method in backend["methods"])
    assert backend["limits"] == {
        "max_qubits": 100,
        "max_operations": 2000,
        "max_shots": 5000,
        "max_program_bytes": 2000,
        "max_result_megabytes": 16,
        "memory_megabytes": 256,
        "default_timeout_s": 90.0,
        "max_timeout_s": 100.0,
    }
    assert backend["gates"] == list(GATES)
    assert backend["openqasm_versions"] == ["3.0", "3.1"]
    assert backend["versions"] == {"ketline": "1.2.3", "qiskit": "2.6.2"}


async def test_no_workers_are_an_empty_list(client: httpx.AsyncClient) -> None:
    response = await client.get("/workers")
    assert (response.status_code, response.json()) == (200, {"workers": []})
    assert response.headers["cache-control"] == "no-store"


async def test_workers_are_listed_with_their_tasks(client: httpx.AsyncClient, workers: FakeWorkerRegistry) -> None:
    held = CurrentTask(
        task_id=TASK,
        attempt=2,
        claimed_at=MOMENT,
        running_seconds=1.5,
        lease_expires_at=MOMENT,
        lease_seconds_left=-0.5,
    )
    identity = WorkerIdentity(worker_id=WorkerId("worker-1"), slots=2, version="1.2.3")
    workers.workers = [
        LiveWorker(identity=identity, started_at=MOMENT, last_seen_at=MOMENT, condition=SHORT, tasks=(held,))
    ]
    assert (await client.get("/workers")).json() == {
        "workers": [
            {
                "worker_id": "worker-1",
                "slots": 2,
                "conversion_slots": 0,
                "version": "1.2.3",
                "started_at": WRITTEN,
                "last_seen_at": WRITTEN,
                "ready_slots": 1,
                "problem": "too many open files",
                "tasks": [
                    {
                        "task_id": str(TASK),
                        "attempt": 2,
                        "since": WRITTEN,
                        "running_seconds": 1.5,
                        "lease_expires_at": WRITTEN,
                        "lease_seconds_left": -0.5,
                    }
                ],
            }
        ]
    }


async def test_workers_cannot_be_listed_without_the_database(
    client: httpx.AsyncClient, workers: FakeWorkerRegistry
) -> None:
    workers.error = DatabaseUnavailable("away")
    response = await client.get("/workers")
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")

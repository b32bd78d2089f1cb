"""Kinds of tasks over HTTP: which fields each has, and what is shown of it."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ketline.domain.attempts.worker import LiveWorker, WorkerIdentity
from ketline.domain.ids import WorkerId
from ketline.domain.tasks.queues import CONVERSIONS
from tests.fakes import FakeOutbox
from tests.inspectors import FakeWorkerRegistry

CONVERSION = {"qc": "qubit q;", "kind": "convert", "target": "qir"}
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def worker(*queues: str) -> LiveWorker:
    identity = WorkerIdentity(worker_id=WorkerId("w-1"), slots=1, version="1", queues=queues)
    return LiveWorker(identity=identity, started_at=NOW, last_seen_at=NOW)


async def test_conversion_travels_on_its_queue_and_shows_what_it_is(
    client: httpx.AsyncClient, outbox: FakeOutbox
) -> None:
    response = await client.post("/tasks", json={**CONVERSION, "profile": "adaptive", "bitcode": True})
    assert response.status_code == 202
    assert [dispatch.queue for dispatch in outbox.dispatches] == [CONVERSIONS]
    task = (await client.get(response.headers["location"])).json()
    assert {name: task[name] for name in ("kind", "target", "qir_profile", "bitcode", "shots")} == {
        "kind": "convert",
        "target": "qir",
        "qir_profile": "adaptive",
        "bitcode": True,
        "shots": 0,
    }
    assert "seed" not in task, "nothing is drawn"


async def test_simulation_shows_no_kind(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", json={"qc": "qubit q;", "kind": "simulate"})
    task = (await client.get(response.headers["location"])).json()
    assert not {"kind", "target", "qir_profile", "bitcode", "backend"} & set(task)


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ({"kind": "convert"}, "target", "is required for the kind convert"),
        ({"kind": "run"}, "backend", "is required for the kind run"),
        ({"target": "qir"}, "target", "has no meaning for the kind simulate"),
        ({"backend": "aer"}, "backend", "has no meaning for the kind simulate"),
        ({"bitcode": True}, "bitcode", "has no meaning for the kind simulate"),
        ({**CONVERSION, "shots": 10}, "shots", "has no meaning for the kind convert"),
        ({**CONVERSION, "seed": 1}, "seed", "has no meaning for the kind convert"),
        ({**CONVERSION, "memory": True}, "memory", "has no meaning for the kind convert"),
        ({**CONVERSION, "backend": "aer"}, "backend", "has no meaning for the kind convert"),
        ({**CONVERSION, "method": "stim"}, "method", "has no meaning for the kind convert"),
        ({**CONVERSION, "target": "qpy", "profile": "base"}, "profile", "has a meaning for the target qir only"),
        ({**CONVERSION, "target": "qpy", "bitcode": True}, "bitcode", "has a meaning for the target qir only"),
        ({**CONVERSION, "inputs": {"a": [1, 2]}}, "inputs", "must not have lists: a sweep is for simulations only"),
        ({"kind": "run", "backend": "aer", "method": "stim"}, "method", "has no meaning for the kind run"),
        ({"kind": "run", "backend": "aer", "timeout_s": 2_592_001}, "timeout_s", "must be at most 2592000"),
        ({"kind": "transpile"}, "kind", "must be 'simulate', 'convert' or 'run'"),
        ({**CONVERSION, "target": "quil"}, "target", "must be 'openqasm3', 'openqasm2', 'qpy' or 'qir'"),
        ({"kind": "run", "backend": "../x"}, "backend", "should match pattern"),
    ],
)
async def test_field_that_does_not_fit_the_kind_is_an_error(
    client: httpx.AsyncClient, body: dict[str, Any], field: str, text: str
) -> None:
    response = await client.post("/tasks", json={"qc": "qubit q;", **body})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    [error] = response.json()["errors"]
    assert error["pointer"] == f"#/{field}"
    assert text in error["detail"]


async def test_backend_must_be_one_that_a_worker_has(
    client: httpx.AsyncClient, workers: FakeWorkerRegistry, outbox: FakeOutbox
) -> None:
    body = {"qc": "qubit q;", "kind": "run", "backend": "braket-local"}
    nobody = await client.post("/tasks", json=body)
    assert (nobody.status_code, nobody.json()["code"]) == (422, "backend_unknown")
    assert "no worker has an external backend" in nobody.json()["detail"]
    workers.workers = [worker("simulate", "run.other")]
    other = await client.post("/tasks/batch", json={"tasks": [{"qc": "qubit q;"}, body]})
    assert other.json()["errors"][0]["pointer"] == "#/tasks/1/backend"
    assert "there are other" in other.json()["detail"]
    workers.workers = [worker("run.braket-local")]
    assert (await client.post("/tasks", json=body)).status_code == 202
    assert [dispatch.queue.name for dispatch in outbox.dispatches] == ["run.braket-local"]


async def test_time_limit_of_a_run_may_be_longer_than_that_of_a_simulation(
    client: httpx.AsyncClient, workers: FakeWorkerRegistry
) -> None:
    workers.workers = [worker("run.aer")]
    body = {"qc": "qubit q;", "kind": "run", "backend": "aer", "timeout_s": 86_400}
    address = (await client.post("/tasks", json=body)).headers["location"]
    assert (await client.get(address)).json()["timeout_s"] == 86_400
    rerun = await client.post(f"{address}/rerun")
    assert rerun.status_code == 202


async def test_waiting_for_completion_is_for_clients_of_older_services(client: httpx.AsyncClient) -> None:
    body = {"qc": "qubit q;", "kind": "run", "backend": "aer", "wait_for_completion": True}
    response = await client.post("/tasks", json=body)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["pointer"] == "#/wait_for_completion"


async def test_output_is_of_conversions_only(client: httpx.AsyncClient) -> None:
    address = (await client.post("/tasks", json=CONVERSION)).headers["location"]
    waiting = await client.get(f"{address}/output")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "result_not_ready")
    malformed = await client.get("/tasks/nothing/output")
    assert malformed.status_code == 404


async def test_only_simulations_are_validated(client: httpx.AsyncClient) -> None:
    response = await client.post("/validate", json=CONVERSION)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "#/kind")

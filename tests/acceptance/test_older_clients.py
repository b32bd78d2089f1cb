"""Scripts of clients of older services, written anew as such clients have them, against a live service.

The scripts know nothing of Ketline but its address: they post a body, poll until the task is no longer pending, and
read bare counts. The services are started with the variables of older deployments.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ketline.client import Client, TaskFailed, TaskNotFound
from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import PATIENCE_SECONDS, POLL_SECONDS
from tests.acceptance.programs import BELL

BELL_2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'


def submit(base: str, body: Mapping[str, object]) -> str:
    response = httpx.post(f"{base}/tasks", json=body)
    assert response.status_code in (200, 202), response.text
    task_id = response.json()["task_id"]
    assert isinstance(task_id, str)
    return task_id


def poll(base: str, task_id: str) -> dict[str, Any]:
    """The task once it is no longer pending."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        response = httpx.get(f"{base}/tasks/{task_id}")
        assert response.status_code == 200
        task: dict[str, Any] = response.json()
        if task["status"] != "pending":
            return task
        assert task["message"] == "Task is still in progress."
        time.sleep(POLL_SECONDS)
    raise AssertionError("the task did not complete in time")


def run_circuit(base: str) -> None:
    task = poll(base, submit(base, {"qc": BELL}))
    assert task["status"] == "completed"
    assert set(task["result"]) <= {"00", "11"}
    assert sum(task["result"].values()) == 1024


def run_wrong_circuit(base: str) -> None:
    task = poll(base, submit(base, {"qc": 'OPENQASM 3.0; include "stdgates.inc"; qubit q; foo q;'}))
    assert task["status"] == "failed"
    assert "foo" in task["error"]


def run_typed_task(base: str) -> None:
    payload = {"circuit_type": "qasm", "circuit_data": BELL_2, "shots": 100, "simulator_id": "qbraid_qir_simulator"}
    task = poll(base, submit(base, {"task_type": "simulate", "payload": payload, "max_retries": 2}))
    assert task["status"] == "completed"
    assert set(task["result"]) <= {"00", "11"}
    assert sum(task["result"].values()) == 100
    assert (task["task_type"], task["retry_count"], task["max_retries"]) == ("simulate", 0, 2)
    assert task["created_at"] < task["updated_at"]
    meta = task["meta_data"]
    assert (meta["num_qubits"], meta["depth"], meta["gate_count"]) == (2, 3, 2)
    assert 0 < meta["estimated_runtime"] < PATIENCE_SECONDS


def convert_to_qir(base: str) -> None:
    payload = {"circuit_type": "qasm", "circuit_data": BELL_2, "shots": 100, "simulator_id": "qbraid_qir_simulator"}
    task = poll(base, submit(base, {"task_type": "c_qir_convert", "payload": payload}))
    assert (task["status"], task["task_type"]) == ("completed", "c_qir_convert")
    assert "__quantum__qis__h__body" in task["result"]


def send_python(base: str) -> None:
    payload = {"circuit_type": "qiskit", "circuit_data": "open('/tmp/executed', 'w')"}
    response = httpx.post(f"{base}/tasks", json={"task_type": "simulate", "payload": payload})
    assert response.status_code == 422
    assert "never executed" in response.json()["message"]


def look_for_what_is_not_there(base: str) -> None:
    for task_id in (str(uuid4()), "12345"):
        response = httpx.get(f"{base}/tasks/{task_id}")
        assert response.status_code == 404
        assert response.json() == {"status": "error", "message": "Task not found."}


def send_nonsense(base: str) -> None:
    response = httpx.post(f"{base}/tasks", json={"circuit_text": "x"})
    assert 400 <= response.status_code < 500
    assert "circuit_text" in response.json()["message"]


def use_our_client(base: str) -> None:
    """Ketline's own client reads the full shape from such a service too."""
    with Client(base) as client:
        task = client.submit(BELL, shots=100)
        assert sum(task.counts().values()) == 100
        assert task.wait().status == "completed"
        with pytest.raises(TaskNotFound):
            client.get(uuid4())
        with pytest.raises(TaskFailed, match="line 1"):
            client.run("OPENQASM 3.0; foo q;")


async def run(port: int, *scripts: Callable[[str], None]) -> None:
    for script in scripts:
        await asyncio.to_thread(script, f"http://127.0.0.1:{port}")


SCRIPTS = (
    run_circuit,
    run_wrong_circuit,
    run_typed_task,
    convert_to_qir,
    send_python,
    look_for_what_is_not_there,
    send_nonsense,
)


async def test_scripts_on_the_embedded_service(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_RESULT_SHAPE="plain", CELERY_RESULT_BACKEND="redis://localhost:6379/0")
    warning = await process.logged("settings.variable_unused", variable="CELERY_RESULT_BACKEND")
    assert (warning["level"], "redis" in str(warning)) == ("warning", False)
    await run(embedded.port, *SCRIPTS, use_our_client)


async def test_scripts_on_the_distributed_service(on_each_broker: Distributed) -> None:
    """The port and the broker come from variables of older deployments."""
    service, environment = on_each_broker, on_each_broker.fleet.environment
    environment["CELERY_BROKER_URL"] = environment.pop("KETLINE_QUEUE_URL")
    api = await service.fleet.start("api", API_PORT=str(service.port), KETLINE_RESULT_SHAPE="plain")
    await api.logged("api.listening")
    await service.start_worker()
    await run(service.port, *SCRIPTS)

"""Submissions as clients of older services send them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from tests.fakes import FakeTaskRepository
from tests.inspectors import FakeWorkerRegistry
from tests.unit.api.test_kinds import worker
from tests.unit.api.test_read import PROFILE

QASM2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; qubit q; bit c; h q; c = measure q;'


def body(**changes: Any) -> dict[str, Any]:
    """A body with changes of its fields; those of `payload` are by their own names."""
    payload = {"circuit_type": "qasm", "circuit_data": QASM2}
    of_payload = {"circuit_type", "circuit_data", "shots", "simulator_id", "backend_name", "wait_for_completion"}
    payload |= {name: value for name, value in changes.items() if name in of_payload}
    rest = {name: value for name, value in changes.items() if name not in of_payload}
    return {"task_type": "simulate", "payload": payload, **rest}


async def submitted(client: httpx.AsyncClient, repository: FakeTaskRepository, **changes: Any) -> Any:
    """The spec that is stored for such a body."""
    response = await client.post("/tasks", json=body(**changes))
    assert response.status_code == 202, response.text
    return repository.submissions[-1].spec


async def test_body_is_the_same_as_ours(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    theirs = await submitted(
        client, repository, shots=50, simulator_id="statevector", max_retries=2, meta_data={"experiment": 12}
    )
    ours = {"qc": QASM2, "shots": 50, "method": "statevector", "max_attempts": 3, "metadata": {"experiment": 12}}
    assert (await client.post("/tasks", json={**ours, "seed": theirs.options.seed})).status_code == 202
    assert repository.submissions[-1].spec == theirs


async def test_answer_is_the_same_as_to_ours(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", json=body())
    assert set(response.json()) == {"task_id", "message", "submitted_at", "correlation_id"}
    assert response.headers["location"] == f"/tasks/{response.json()['task_id']}"


async def test_what_is_left_out_has_the_defaults_of_the_service(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    spec = await submitted(client, repository, shots=None, max_retries=None, meta_data=None, scheduled_for=None)
    assert (spec.shots, spec.max_attempts, spec.labels.metadata, spec.scheduled_for) == (777, 3, {}, None)
    assert spec.options.method is Method.AUTOMATIC


@pytest.mark.parametrize(
    ("program", "language"),
    [
        (QASM2, ProgramFormat.OPENQASM2),
        (QASM3, ProgramFormat.OPENQASM3),
        ("qubit q;", ProgramFormat.OPENQASM3),
        ("UUlTS0lU", ProgramFormat.OPENQASM3),
    ],
)
async def test_header_decides_the_language(
    client: httpx.AsyncClient, repository: FakeTaskRepository, program: str, language: ProgramFormat
) -> None:
    assert (await submitted(client, repository, circuit_data=program)).options.format is language


@pytest.mark.parametrize(
    ("simulator", "method"),
    [
        ("qbraid_qir_simulator", Method.AUTOMATIC),
        ("aer_simulator", Method.AUTOMATIC),
        ("matrix_product_state", Method.MATRIX_PRODUCT_STATE),
    ],
)
async def test_simulators_have_methods(
    client: httpx.AsyncClient, repository: FakeTaskRepository, simulator: str, method: Method
) -> None:
    assert (await submitted(client, repository, simulator_id=simulator)).options.method is method


@pytest.mark.parametrize(
    "written", ["2026-01-02T03:04:05", "2026-01-02 03:04:05", "2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00"]
)
async def test_time_without_an_offset_is_in_utc(
    client: httpx.AsyncClient, repository: FakeTaskRepository, written: str
) -> None:
    spec = await submitted(client, repository, scheduled_for=written)
    assert spec.scheduled_for == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_fields_of_a_task_as_it_was_read_are_taken(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    read = {"status": "pending", "result": None, "error": None, "retry_count": 0}
    meta = {"num_qubits": None, "depth": 5, "gate_count": None, "estimated_runtime": 0.5, "label": "x"}
    spec = await submitted(client, repository, **read, meta_data=meta, wait_for_completion=True)
    assert spec.labels.metadata == {"label": "x"}


async def test_repeated_submission_may_change_its_shape(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    headers = {"Idempotency-Key": "run-42"}
    first = await client.post("/tasks", json=body(shots=10), headers=headers)
    second = await client.post("/tasks", json={"qc": QASM2, "shots": 10}, headers=headers)
    assert first.json() == {**second.json(), "correlation_id": first.json()["correlation_id"]}
    assert len(repository.submissions) == 1


async def test_conversion_is_one_to_qir(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    """Such clients send shots and a simulator with every task; a conversion has no use for them."""
    sent = {"shots": 100, "simulator_id": "qbraid_qir_simulator"}
    theirs = await submitted(client, repository, task_type="c_qir_convert", **sent)
    await client.post("/tasks", json={"qc": QASM2, "kind": "convert", "target": "qir"})
    assert repository.submissions[-1].spec == theirs
    shown = (await client.get(f"/tasks/{repository.submissions[0].task_id}")).json()
    assert (shown["task_type"], shown["kind"], shown["target"]) == ("c_qir_convert", "convert", "qir")


async def test_run_on_a_backend_names_it(
    client: httpx.AsyncClient, repository: FakeTaskRepository, workers: FakeWorkerRegistry
) -> None:
    sent = body(task_type="backend_run", backend_name="braket-local", shots=10)
    unknown = await client.post("/tasks", json=sent)
    assert (unknown.status_code, unknown.json()["code"]) == (422, "backend_unknown")
    assert unknown.json()["errors"][0]["pointer"] == "#/payload/backend_name"
    workers.workers = [worker("run.braket-local")]
    assert (await client.post("/tasks", json=sent)).status_code == 202
    spec = repository.submissions[-1].spec
    assert (spec.kind, spec.backend, spec.shots) == ("run", "braket-local", 10)


@pytest.mark.parametrize(("sent", "waits"), [({}, False), ({"wait_for_completion": True}, True)])
async def test_task_remembers_whether_its_client_waits_for_completion(
    client: httpx.AsyncClient,
    repository: FakeTaskRepository,
    workers: FakeWorkerRegistry,
    sent: dict[str, bool],
    waits: bool,
) -> None:
    workers.workers = [worker("run.lab")]
    await submitted(client, repository, task_type="backend_run", backend_name="lab", **sent)
    assert repository.submissions[-1].wait_for_completion is waits


UNKNOWN = {"num_qubits": None, "depth": None, "gate_count": None, "estimated_runtime": None}


async def test_task_shows_the_names_of_its_shape(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    posted = await client.post("/tasks", json=body(max_retries=2, meta_data={"experiment": 12, "depth": 99}))
    task = (await client.get(posted.headers["location"])).json()
    assert (task["task_type"], task["retry_count"], task["max_retries"]) == ("simulate", 0, 2)
    assert task["created_at"] == task["submitted_at"] == task["updated_at"]
    assert task["meta_data"] == {"experiment": 12, **UNKNOWN}
    [stored] = repository.tasks.values()
    repository.tasks[stored.task_id] = replace(stored, profile=PROFILE)
    for query in ("", "?shape=plain"):
        shown = (await client.get(posted.headers["location"] + query)).json()["meta_data"]
        assert shown == {"experiment": 12, "num_qubits": 2, "depth": 3, "gate_count": 2, "estimated_runtime": 0.75}


async def test_gates_are_neither_measurements_nor_control_flow(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    address = (await client.post("/tasks", json=body())).headers["location"]
    [stored] = repository.tasks.values()
    operations = {"h": 3, "cx": 2, "u": 1, "measure": 4, "reset": 1, "barrier": 2, "if_else": 1, "delay": 1}
    repository.tasks[stored.task_id] = replace(stored, profile=replace(PROFILE, operations=operations))
    assert (await client.get(address)).json()["meta_data"]["gate_count"] == 6


async def test_task_of_our_shape_shows_none_of_these_names(client: httpx.AsyncClient) -> None:
    address = (await client.post("/tasks", json={"qc": QASM2, "metadata": {"a": 1}})).headers["location"]
    assert not {"task_type", "created_at", "meta_data"} & set((await client.get(address)).json())


async def test_names_of_the_service_cannot_be_changed(client: httpx.AsyncClient) -> None:
    address = (await client.post("/tasks", json=body())).headers["location"]
    response = await client.patch(address, json={"meta_data": {"depth": 1}})
    assert (response.status_code, response.json()["code"]) == (422, "field_read_only")


@pytest.mark.parametrize(
    ("circuit_type", "writer"),
    [("qiskit", "qiskit.qasm3.dumps("), ("braket", ".to_ir('OPENQASM')"), ("amazon_braket", ".to_ir('OPENQASM')")],
)
async def test_python_source_is_rejected_with_what_to_send_instead(
    client: httpx.AsyncClient, repository: FakeTaskRepository, circuit_type: str, writer: str
) -> None:
    source = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(1)"
    response = await client.post("/tasks", json=body(circuit_type=circuit_type, circuit_data=source))
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "python_source_refused")
    assert writer in problem["message"]
    assert "'qasm'" in problem["message"]
    assert problem["errors"][0]["pointer"] == "#/payload/circuit_type"
    assert not repository.submissions


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"task_type": "train"}, "#/task_type", "must be 'simulate', 'c_qir_convert' or 'backend_run'"),
        ({"task_type": None}, "#/task_type", "must be 'simulate', "),
        ({"task_type": "backend_run"}, "#/payload/backend_name", "is required for the task_type 'backend_run'"),
        ({"task_type": "backend_run", "backend_name": "a:b"}, "#/payload/backend_name", "must be a backend"),
        (
            {"task_type": "backend_run", "backend_name": "a", "simulator_id": "stim"},
            "#/payload/simulator_id",
            "is for the task_type 'simulate' only",
        ),
        ({"backend_name": "a"}, "#/payload/backend_name", "is for the task_type 'backend_run' only"),
        (
            {"task_type": "c_qir_convert", "backend_name": "a"},
            "#/payload/backend_name",
            "is for the task_type 'backend_run' only",
        ),
        ({"payload": None}, "#/payload", "must be a JSON object"),
        ({"payload": {}}, "#/payload/circuit_type", "is required"),
        ({"circuit_type": "quil"}, "#/payload/circuit_type", "must be 'qasm'"),
        ({"circuit_type": 7}, "#/payload/circuit_type", "must be a string"),
        ({"circuit_data": " "}, "#/payload/circuit_data", "must not be empty"),
        ({"circuit_data": "a\x00"}, "#/payload/circuit_data", "must not contain NUL characters"),
        ({"shots": 0}, "#/payload/shots", "must be at least 1"),
        ({"shots": 5001}, "#/payload/shots", "must be at most 5000"),
        ({"shots": True}, "#/payload/shots", "must be an integer"),
        ({"simulator_id": "sv9"}, "#/payload/simulator_id", "must be 'qbraid_qir_simulator', "),
        ({"wait_for_completion": "no"}, "#/payload/wait_for_completion", "must be true or false"),
        ({"max_retries": -1}, "#/max_retries", "must be at least 0"),
        ({"max_retries": 7}, "#/max_retries", "must be at most 6"),
        ({"meta_data": []}, "#/meta_data", "must be a JSON object"),
        ({"meta_data": {"a": "b" * 9000}}, "#/meta_data", "must have at most 8192 bytes as JSON"),
        ({"scheduled_for": "tomorrow"}, "#/scheduled_for", "must be an RFC 3339 time"),
        ({"retry_count": 3}, "#/retry_count", "must be 0"),
        ({"result": {"00": 1}}, "#/result", "must be null"),
        ({"status": "completed"}, "#/status", "must be 'pending'"),
        ({"priority": 1}, "#/priority", "is not a known field"),
        ({"qc": "x"}, "#/qc", "is not a known field"),
    ],
)
async def test_bad_body_is_rejected_by_the_names_of_its_shape(
    client: httpx.AsyncClient,
    repository: FakeTaskRepository,
    changes: dict[str, Any],
    pointer: str,
    detail: str,
) -> None:
    response = await client.post("/tasks", json=body(**changes))
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request")
    error = problem["errors"][0]
    assert error["pointer"] == pointer
    assert error["detail"].startswith(detail)
    assert not repository.submissions


async def test_far_time_is_rejected(client: httpx.AsyncClient) -> None:
    far = (datetime.now(UTC) + timedelta(days=400)).replace(tzinfo=None).isoformat(timespec="seconds")
    response = await client.post("/tasks", json=body(scheduled_for=far))
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "#/scheduled_for")


async def test_large_program_is_rejected(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", json=body(circuit_data=QASM2 + " " * 3000))
    assert (response.status_code, response.json()["code"]) == (413, "program_too_large")


async def test_body_of_either_shape_without_a_program(client: httpx.AsyncClient) -> None:
    theirs = await client.post("/tasks", json={"task_type": "simulate"})
    assert theirs.json()["errors"] == [{"pointer": "#/payload", "detail": "is required"}]
    ours = await client.post("/tasks", json={"payload": {"circuit_type": "qasm", "circuit_data": QASM2}})
    assert ours.json()["errors"] == [{"pointer": "#/payload", "detail": "is not a known field"}]


async def test_body_with_very_many_unknown_fields_is_rejected(client: httpx.AsyncClient) -> None:
    many = {f"field{number}": 1 for number in range(500)}
    response = await client.post("/tasks", json={**body(), **many})
    assert response.json()["errors"] == [{"pointer": "#", "detail": "has 502 errors"}]


@pytest.mark.parametrize("path", ["/tasks/batch", "/validate"])
async def test_other_routes_take_our_shape_only(client: httpx.AsyncClient, path: str) -> None:
    response = await client.post(path, json={"tasks": [body()]} if path.endswith("batch") else body())
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_openapi_describes_both_shapes(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    content = document["paths"]["/tasks"]["post"]["requestBody"]["content"]
    assert {media_type: part["schema"]["$ref"].rpartition("/")[2] for media_type, part in content.items()} == {
        "application/json": "SubmitRequest",
        "application/vnd.ketline.legacy+json": "LegacyRequest",
    }
    for media_type, part in content.items():
        response = await client.post(
            "/tasks", content=json.dumps(part["example"]), headers={"Content-Type": media_type}
        )
        assert response.status_code == 202, media_type

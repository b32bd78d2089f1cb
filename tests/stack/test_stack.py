"""A running stack over HTTP: keys, examples, a wrong program, older clients, correlation ids, health.

`docker compose --profile tests run --rm -T tests`, or `bash .ci/uv run pytest tests/stack` with KETLINE_URL,
KETLINE_API_KEY, a submitter's, and KETLINE_AUTH=off where the stack checks no keys.
"""

import math
import os
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import qirrunner

_CHECKS_KEYS = os.environ.get("KETLINE_AUTH") != "off"
_EXAMPLES = Path(__file__).parents[2] / "examples"
_SHOTS = 4096
_PATIENCE_SECONDS = 90.0
_POLL_SECONDS = 0.1

_RECEIVED_ONE = math.sin(math.pi / 6) ** 2
_FOUND = math.sin(5 * math.asin(1 / math.sqrt(8))) ** 2
_DISTRIBUTIONS = {
    "bell": {"00": 1 / 2, "11": 1 / 2},
    "error_correction": {"000 11": 1 / 4, "111 11": 3 / 4},
    "ghz": {"00000000": 1 / 2, "11111111": 1 / 2},
    "grover": {f"{item:03b}": _FOUND if item == 0b101 else (1 - _FOUND) / 7 for item in range(8)},
    "qft": {"0000": 1 / 4, "0100": 1 / 4, "1000": 1 / 4, "1100": 1 / 4},
    "teleportation": {
        f"{received} {told:02b}": (_RECEIVED_ONE if received else 1 - _RECEIVED_ONE) / 4
        for received in (0, 1)
        for told in range(4)
    },
}
_OPENQASM_2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
# Deviations allowed, in standard deviations: a false alarm has a chance below 3e-9 per outcome, 1e-7 per run.
_SIGMAS = 6


@pytest.mark.parametrize(("method", "path"), [("GET", "/tasks"), ("POST", "/tasks"), ("GET", "/keys")])
def test_request_without_a_key_is_served_only_where_the_stack_checks_none(
    anyone: httpx.Client, method: str, path: str
) -> None:
    response = anyone.request(method, path, json={"qc": _OPENQASM_2} if method == "POST" else None)
    assert response.is_success is not _CHECKS_KEYS, response.text
    if _CHECKS_KEYS:
        assert (response.status_code, response.json()["code"]) == (401, "credentials_missing")


def test_key_has_the_rights_of_its_project_and_role(client: httpx.Client) -> None:
    assert client.get("/whoami").json()["role"] == ("submitter" if _CHECKS_KEYS else "administrator")
    assert client.get("/keys").status_code == (403 if _CHECKS_KEYS else 200)


@pytest.mark.parametrize("program", sorted(_EXAMPLES.glob("*.qasm")), ids=lambda path: path.stem)
def test_example_gives_its_counts(client: httpx.Client, program: Path) -> None:
    task = _finished(client, _submit(client, program.read_text()))
    assert task["status"] == "completed", task
    counts = task["result"]["counts"]
    assert sum(counts.values()) == task["result"]["shots"] == _SHOTS
    assert client.get(f"/tasks/{task['task_id']}/counts").json() == counts
    assert [entry["status"] for entry in task["status_history"]] == ["pending", "processing", "completed"]
    if program.stem in _DISTRIBUTIONS:
        _assert_drawn_from(_DISTRIBUTIONS[program.stem], counts)


def test_wrong_program_fails_with_its_place(client: httpx.Client) -> None:
    task = _finished(client, _submit(client, 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nnonsense q;\n'))
    assert task["status"] == "failed"
    assert "result" not in task
    assert task["error"]["code"] == "parse_error"
    assert task["error"]["line"] == 4
    assert task["error"]["column"] >= 1


def test_correlation_id_goes_end_to_end(client: httpx.Client) -> None:
    name = f"stack-test-{time.time_ns()}"
    program = (_EXAMPLES / "bell.qasm").read_text()
    response = client.post("/tasks", json={"qc": program, "shots": 16}, headers={"X-Correlation-ID": name})
    assert response.status_code == 202
    assert response.headers["X-Correlation-ID"] == response.json()["correlation_id"] == name
    assert _finished(client, response.headers["Location"])["correlation_id"] == name


def test_unknown_task_is_a_problem_document(client: httpx.Client) -> None:
    response = client.get("/tasks/00000000-0000-4000-8000-000000000000")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "not found" in response.json()["detail"]


def _polled(client: httpx.Client, body: dict[str, object]) -> dict[str, Any]:
    """A task as a client of an older service submits and reads it, once it is no longer pending."""
    response = client.post("/tasks", json=body)
    assert response.status_code == 202, response.text
    address, deadline = response.headers["Location"], time.monotonic() + _PATIENCE_SECONDS
    while True:
        task: dict[str, Any] = client.get(address, params={"shape": "plain"}).json()
        if task["status"] != "pending":
            return task
        assert time.monotonic() < deadline, f"{address} is still pending after {_PATIENCE_SECONDS:.0f} s"
        time.sleep(_POLL_SECONDS)


def test_client_of_an_older_service_runs_openqasm_2(client: httpx.Client) -> None:
    payload = {"circuit_type": "qasm", "circuit_data": _OPENQASM_2, "shots": _SHOTS}
    task = _polled(client, {"task_type": "simulate", "payload": payload, "max_retries": 1})
    assert (task["status"], task["task_type"], task["max_retries"]) == ("completed", "simulate", 1)
    _assert_drawn_from(_DISTRIBUTIONS["bell"], task["result"])
    assert task["meta_data"]["gate_count"] == 2


def test_client_of_an_older_service_converts_to_qir(client: httpx.Client) -> None:
    payload = {"circuit_type": "qasm", "circuit_data": _OPENQASM_2}
    task = _polled(client, {"task_type": "c_qir_convert", "payload": payload})
    assert task["status"] == "completed", task
    assert "__quantum__qis__h__body" in task["result"]
    assert client.get(f"/tasks/{task['task_id']}/output").text == task["result"]


def test_program_converted_to_qir_has_its_counts(client: httpx.Client) -> None:
    body = {"qc": _OPENQASM_2, "kind": "convert", "target": "qir", "bitcode": True}
    task = _finished(client, client.post("/tasks", json=body).headers["Location"])
    assert task["status"] == "completed", task
    counts = Counter[str]()
    with tempfile.TemporaryDirectory() as directory:
        module = Path(directory) / "program.bc"
        module.write_bytes(client.get(f"/tasks/{task['task_id']}/output").content)
        output = qirrunner.OutputHandler()
        qirrunner.run(str(module), shots=_SHOTS, output_fn=output.handle)
    for shot in output.get_output().split("START")[1:]:
        bits = re.findall(r"^OUTPUT\tRESULT\t([01])", shot, re.MULTILINE)
        counts["".join(reversed(bits))] += 1
    assert sum(counts.values()) == _SHOTS
    _assert_drawn_from(_DISTRIBUTIONS["bell"], counts)


def test_every_external_backend_gives_the_counts_of_a_pair(client: httpx.Client) -> None:
    """Of a stack with external backends; others have none to test."""
    for backend in client.get("/backends").json()["external"]:
        assert backend["online"], backend
        body = {"qc": _OPENQASM_2, "kind": "run", "backend": backend["name"], "shots": _SHOTS}
        task = _finished(client, client.post("/tasks", json=body).headers["Location"])
        assert task["status"] == "completed", task
        counts = task["result"]["counts"]
        assert sum(counts.values()) == _SHOTS
        if backend["noisy"]:
            assert counts["00"] + counts["11"] > 0.8 * _SHOTS
        else:
            _assert_drawn_from(_DISTRIBUTIONS["bell"], counts)


def test_client_of_an_older_service_finds_no_task(client: httpx.Client) -> None:
    response = client.get("/tasks/12345", params={"shape": "plain"})
    assert (response.status_code, response.json()) == (404, {"status": "error", "message": "Task not found."})


def test_health_reports_every_part(client: httpx.Client) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    health = response.json()
    assert health.pop("timestamp")
    assert health == {"status": "healthy", "database_status": "connected", "queue_status": "connected"}
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200


def _submit(client: httpx.Client, program: str) -> str:
    """The path of the new task."""
    response = client.post("/tasks", json={"qc": program, "shots": _SHOTS})
    assert response.status_code == 202, response.text
    return response.headers["Location"]


def _finished(client: httpx.Client, path: str) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (task := client.get(path).raise_for_status().json())["status"] in {"pending", "processing"}:
        assert time.monotonic() < deadline, f"not finished in {_PATIENCE_SECONDS:.0f} s: {task}"
        time.sleep(_POLL_SECONDS)
    return dict(task)


def _assert_drawn_from(probabilities: dict[str, float], counts: dict[str, int]) -> None:
    assert counts.keys() <= probabilities.keys()
    for outcome, probability in probabilities.items():
        expected, deviation = _SHOTS * probability, math.sqrt(_SHOTS * probability * (1 - probability))
        assert abs(counts.get(outcome, 0) - expected) <= _SIGMAS * deviation, f"{outcome}: {counts}"

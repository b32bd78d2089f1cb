from dataclasses import replace

import httpx
import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.errors import InspectorBusy, ProgramInvalid, ProgramTooLarge, ServiceUnavailable
from ketline.domain.tasks.spec import RunOptions
from ketline.schemas.types import BELL
from tests.fakes import FakeTaskRepository
from tests.inspectors import INSPECTION, FakeInspector


async def test_valid_program_is_described(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/validate", json={"qc": BELL})
    assert response.status_code == 200
    assert response.json() == {
        "valid": True,
        "diagnostics": [],
        "tier": "scanner",
        "qubits": 2,
        "depth": 3,
        "operations": {"h": 1, "cx": 1, "measure": 2},
        "method": "statevector",
        "method_reason": "few qubits, measured at the end: exact probabilities",
        "memory_bytes": 64,
        "estimated_seconds": 0.0021,
    }
    assert repository.submissions == []


async def test_program_is_inspected_as_it_would_be_run(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    body = {"circuit": "input float t;", "inputs": {"t": 0.5}, "method": "stim", "seed": 7, "memory": True}
    await client.post("/validate", json=body)
    [spec] = inspector.inspected
    assert (spec.circuit, spec.inputs, spec.shots) == ("input float t;", {"t": 0.5}, 777)
    assert spec.options == RunOptions(seed=7, method=Method.STIM, memory=True)


async def test_error_is_a_diagnostic_with_its_position(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    inspector.error = ProgramInvalid("gate 'foo' is not defined", line=3, column=1)
    response = await client.post("/validate", json={"qc": "foo q;"})
    assert response.status_code == 200
    assert response.json() == {
        "valid": False,
        "diagnostics": [
            {"severity": "error", "code": "parse_error", "message": "gate 'foo' is not defined", "line": 3, "column": 1}
        ],
    }


async def test_program_that_no_method_can_simulate_keeps_its_figures(
    client: httpx.AsyncClient, inspector: FakeInspector
) -> None:
    inspector.inspection = replace(
        INSPECTION,
        method=None,
        method_reason=None,
        memory_bytes=None,
        estimated_seconds=None,
        failure=ProgramTooLarge("simulating 40 qubits takes 16 TiB").failure,
    )
    body = (await client.post("/validate", json={"qc": BELL})).json()
    assert body["valid"] is False
    assert body["diagnostics"][0]["code"] == "too_large"
    assert body["qubits"] == 2
    assert body.keys().isdisjoint({"method", "method_reason", "memory_bytes", "estimated_seconds"})


async def test_own_time_limit_is_compared_with_the_estimate(
    client: httpx.AsyncClient, inspector: FakeInspector
) -> None:
    inspector.inspection = replace(INSPECTION, estimated_seconds=20.0)
    assert (await client.post("/validate", json={"qc": BELL})).json()["diagnostics"] == []
    body = (await client.post("/validate", json={"qc": BELL, "timeout_s": 5})).json()
    assert [(one["severity"], one["code"]) for one in body["diagnostics"]] == [("warning", "may_time_out")]
    assert body["valid"] is True


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"qc": BELL, "sohts": 5}, "#/sohts"),
        ({"qc": BELL, "shots": 0}, "#/shots"),
        ({"qc": BELL, "shots": 5001}, "#/shots"),
        ({"shots": 5}, "#/qc"),
        ({"qc": BELL, "method": "magic"}, "#/method"),
    ],
)
async def test_body_is_checked_as_that_of_a_submission(
    client: httpx.AsyncClient, inspector: FakeInspector, body: dict[str, object], pointer: str
) -> None:
    response = await client.post("/validate", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == pointer
    assert inspector.inspected == []


@pytest.mark.parametrize("path", ["/validate", "/tasks"])
async def test_withdrawn_method_is_rejected_with_those_that_are_offered(client: httpx.AsyncClient, path: str) -> None:
    response = await client.post(path, json={"qc": BELL, "method": "extended_stabilizer"})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "#/method")
    assert response.json()["errors"][0]["detail"] == (
        "must be 'automatic', 'statevector', 'density_matrix', 'stabilizer', 'matrix_product_state' or 'stim': "
        "'extended_stabilizer' is no longer offered, because its counts were wrong"
    )


async def test_program_that_is_too_long_is_rejected_unread(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    response = await client.post("/validate", json={"qc": "x" * 3000})
    assert (response.status_code, response.json()["code"]) == (413, "program_too_large")
    assert inspector.inspected == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(InspectorBusy("8 wait"), "inspector_busy"), (ServiceUnavailable("no process"), "service_unavailable")],
)
async def test_without_an_inspector_to_ask_it_says_when_to_try_again(
    client: httpx.AsyncClient, inspector: FakeInspector, error: Exception, code: str
) -> None:
    inspector.error = error
    response = await client.post("/validate", json={"qc": BELL})
    assert (response.status_code, response.json()["code"]) == (503, code)
    assert int(response.headers["retry-after"]) > 0

"""Noise over HTTP: what is stored, what is shown, and what is rejected before it is stored."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from ketline.domain.limits import MAX_NOISE_ERRORS, MAX_NOISE_MODELS
from ketline.domain.tasks.spec import RunOptions
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_results import STORED, TASK_ID

DEPOLARIZING = {"name": "depolarizing", "one_qubit": 0.001, "two_qubit": 0.01}
RELAXATION = {"name": "thermal_relaxation", "t1_us": 100, "t2_us": 80, "one_qubit_ns": 35, "two_qubit_ns": 300}
READOUT = {"name": "readout", "p01": 0.01, "p10": 0.03}
MATRIX = [[[1, 0], [0, 0]], [[0, 0], [1.0, -0.0]]]
ERROR: dict[str, Any] = {
    "type": "qerror",
    "id": "ebf639d7af134a08a18dcbd9365ba721",
    "operations": ["h", "x"],
    "instructions": [
        [{"name": "pauli", "qubits": [0], "params": ["X"]}, {"name": "reset", "qubits": [0]}],
        [{"name": "kraus", "qubits": [0], "params": [MATRIX]}],
    ],
    "probabilities": [0.25, 0.7500000000000001],
    "gate_qubits": [[0], [1]],
}
MISREADING = {"type": "roerror", "operations": ["measure"], "probabilities": [[0.9, 0.1], [0.2, 0.8]]}


def model(*errors: Any) -> dict[str, Any]:
    return {"model": {"errors": list(errors)}}


@pytest.mark.parametrize(
    "noise", [DEPOLARIZING, RELAXATION, READOUT, model(ERROR, MISREADING), model(), [DEPOLARIZING, READOUT, model()]]
)
async def test_noise_is_stored(client: httpx.AsyncClient, repository: FakeTaskRepository, noise: Any) -> None:
    response = await client.post("/tasks", json={"qc": "qubit q;", "noise": noise})
    assert response.status_code == 202
    assert repository.submissions[0].spec.options.noise == noise


@pytest.mark.parametrize(
    ("noise", "pointer", "words"),
    [
        ("depolarizing", "", "JSON object"),
        (7, "", "JSON object"),
        ([], "", "empty"),
        ([DEPOLARIZING] * (MAX_NOISE_MODELS + 1), "", f"at most {MAX_NOISE_MODELS}"),
        ([DEPOLARIZING, 3], "/1", "JSON object"),
        ([[DEPOLARIZING]], "/0", "JSON object"),
        ({"name": "cosmic"}, "/name", "'depolarizing', 'readout' or 'thermal_relaxation'"),
        ({}, "/name", "there must be a model"),
        (DEPOLARIZING | {"one_qubit": 1.5}, "/one_qubit", "at most 1"),
        (DEPOLARIZING | {"one_qubit": -1}, "/one_qubit", "at least 0"),
        (DEPOLARIZING | {"one_qubit": "0.1"}, "/one_qubit", "must be a number"),
        (DEPOLARIZING | {"three_qubit": 0.1}, "/three_qubit", "not a known field"),
        ([READOUT, {"name": "readout", "p01": 0.1}], "/1/p10", "required"),
        (RELAXATION | {"t2_us": 201}, "/t2_us", "twice t1_us"),
        (RELAXATION | {"t1_us": 0}, "/t1_us", "more than"),
        ({"model": 5}, "/model", "JSON object"),
        ({"model": {}}, "/model/errors", "required"),
        (model(ERROR) | {"name": "mine"}, "/name", "not a known field"),
        (model(3), "/model/errors/0", "JSON object"),
        (model({"type": "other"}), "/model/errors/0/type", "'qerror' or 'roerror'"),
        (model(ERROR, MISREADING | {"operations": ["x"]}), "/model/errors/1/operations/0", "measure"),
        (model(MISREADING | {"probabilities": [[1]]}), "/model/errors/0/probabilities", ""),
        (model(ERROR | {"probabilities": [1.0]}), "/model/errors/0/probabilities", "for each of the instructions"),
        (model(ERROR | {"probabilities": [2, -1]}), "/model/errors/0/probabilities/", ""),
        (model(ERROR | {"gate_qubits": [[1_000_000]]}), "/model/errors/0/gate_qubits/0/0", "at most 4095"),
        (model(ERROR | {"instructions": [[{"name": "x", "qubits": [2]}]] * 2}), "/model/errors/0/instructions/", ""),
        (
            model(ERROR | {"instructions": [[{"name": "x", "qubits": [0], "params": [1]}]] * 2}),
            "/model/errors/0/instructions/0/0/params",
            "at most 0",
        ),
        (
            model(ERROR | {"instructions": [[{"name": "pauli", "qubits": [0], "params": ["Q"]}]] * 2}),
            "/model/errors/0/instructions/0/0/params/0",
            "",
        ),
        (
            model(ERROR | {"instructions": [[{"name": "kraus", "qubits": [0], "params": [[[5]]]}]] * 2}),
            "/model/errors/0/instructions/0/0/params/0",
            "",
        ),
        (model(*[{}] * (MAX_NOISE_ERRORS + 1)), "/model/errors", f"at most {MAX_NOISE_ERRORS}"),
        (model(*[3] * 100), "", "100 errors"),
    ],
)
async def test_other_shapes_are_rejected(
    client: httpx.AsyncClient, repository: FakeTaskRepository, noise: Any, pointer: str, words: str
) -> None:
    response = await client.post("/tasks", json={"qc": "qubit q;", "noise": noise})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request")
    if words != "100 errors":
        assert problem["errors"][0]["pointer"].startswith(f"#/noise{pointer}")
    assert words in problem["detail"]
    assert repository.submissions == []


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity"])
async def test_numbers_are_finite(client: httpx.AsyncClient, number: str) -> None:
    body = f'{{"qc": "qubit q;", "noise": {{"name": "depolarizing", "one_qubit": {number}}}}}'
    response = await client.post("/tasks", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert "must be a finite number" in response.json()["detail"]


async def test_deep_nesting_is_rejected(client: httpx.AsyncClient) -> None:
    body = '{"qc": "qubit q;", "noise": ' + "[" * 1000 + "]" * 1000 + "}"
    response = await client.post("/tasks", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_json")


@pytest.mark.parametrize("kind", [{"kind": "convert", "target": "qpy"}, {"kind": "run", "backend": "other"}])
async def test_only_simulations_have_noise(client: httpx.AsyncClient, kind: dict[str, str]) -> None:
    response = await client.post("/tasks", json={"qc": "qubit q;", "noise": DEPOLARIZING, **kind})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/noise"


async def test_a_batch_names_the_item(client: httpx.AsyncClient) -> None:
    tasks = [{"qc": "qubit q;"}, {"qc": "qubit q;", "noise": {"name": "readout", "p01": 2, "p10": 0}}]
    response = await client.post("/tasks/batch", json={"tasks": tasks})
    assert response.json()["errors"][0]["pointer"] == "#/tasks/1/noise/p01"


async def test_a_task_shows_its_noise(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    path = f"/tasks/{TASK_ID}"
    repository.tasks[TASK_ID] = STORED
    assert "noise" not in (await client.get(path)).json()
    repository.tasks[TASK_ID] = replace(STORED, options=RunOptions(noise=[DEPOLARIZING, READOUT]))
    assert (await client.get(path)).json()["noise"] == [DEPOLARIZING, READOUT]


async def test_other_noise_is_another_submission(client: httpx.AsyncClient) -> None:
    first, again, other = [
        await client.post("/tasks", json={"qc": "qubit q;", "noise": noise}, headers={"Idempotency-Key": "k"})
        for noise in (DEPOLARIZING, dict(reversed(DEPOLARIZING.items())), READOUT)
    ]
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.json() == again.json()

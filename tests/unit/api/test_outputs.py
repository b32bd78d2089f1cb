"""Outputs of tasks over HTTP: what is accepted, and how results are shown and downloaded."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest

from ketline.client.decoding import read_task
from ketline.domain.ids import TaskId
from ketline.domain.results.outputs import Output, OutputType, RequestedOutput
from ketline.domain.results.result import Point
from ketline.domain.status import TaskStatus
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_results import PATH, STORED, TASK_ID

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ROOT = 2**-0.5
STATE = Output(OutputType.STATEVECTOR, [0, 1], [[ROOT, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, ROOT]])
ENTROPY = Output(OutputType.ENTROPY, [0], 1.0)
MATRIX = Output(OutputType.DENSITY_MATRIX, [1], [[[0.5, 0.0], [0.0, 0.25]], [[0.0, -0.25], [0.5, 0.0]]])
P0, P1 = Output(OutputType.PROBABILITIES, [0], [0.25, 0.75]), Output(OutputType.PROBABILITIES, [0], [0.5, 0.5])
OUTPUTS = {"statevector": STATE, "half": ENTROPY, "matrix": MATRIX}
VALUES_OF = {
    "moments": Output(OutputType.EXPECTATION_VALUES, [0], [[0.5, 0.75]]),
    "means": Output(OutputType.EXPECTATION_VALUES, [0], [-0.25]),
}
VALUES = {"type": "expectation_values", "observables": [{"Z": 1.0}]}
MANY = [{format(n, "010b").replace("0", "I").replace("1", "Z"): 1.0 for n in range(1001)}]
LONG = [{"Z" * 4096: 1.0}] * 17
ADDRESS = f"/tasks/{TASK_ID}/outputs"
NPY, NPZ = {"Accept": "application/x-npy"}, {"Accept": "application/x-npz"}


@pytest.fixture
def task(repository: FakeTaskRepository) -> None:
    repository.tasks[TASK_ID] = replace(STORED, counts=None, memory=None, outputs=OUTPUTS)


@pytest.fixture
def sweep(repository: FakeTaskRepository) -> None:
    points = [Point(counts={}, outputs={"p": P0}), Point(counts={}, outputs={"p": P1})]
    repository.tasks[TASK_ID] = replace(STORED, counts=None, memory=None, points=points)


async def test_outputs_are_stored_with_names(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    outputs = ["counts", {"type": "probabilities", "qubits": [2, 0], "name": "p"}, {"type": "entropy", "qubits": [1]}]
    response = await client.post("/tasks", json={"qc": "qubit[3] q;", "outputs": outputs, "shots": 7, "memory": True})
    assert response.status_code == 202
    assert repository.submissions[0].spec.options.outputs == (
        RequestedOutput(OutputType.COUNTS, "counts"),
        RequestedOutput(OutputType.PROBABILITIES, "p", (2, 0)),
        RequestedOutput(OutputType.ENTROPY, "entropy", (1,)),
    )
    view = (await client.get(response.headers["location"])).json()
    assert view["outputs"] == [
        {"type": "counts", "name": "counts"},
        {"type": "probabilities", "name": "p", "qubits": [2, 0]},
        {"type": "entropy", "name": "entropy", "qubits": [1]},
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"outputs": "statevector"}, "#/outputs", "must be a list"),
        ({"outputs": ["state"]}, "#/outputs", "one of the types counts, statevector"),
        ({"outputs": [7]}, "#/outputs", "types, or objects"),
        ({"outputs": [{"type": "entropy", "of": [1]}]}, "#/outputs", "types, or objects"),
        ({"outputs": [{"qubits": [1]}]}, "#/outputs", "one of the types"),
        ({"outputs": ["unitary", "unitary"]}, "#/outputs", "distinct names"),
        ({"outputs": ["unitary", {"type": "entropy", "name": "unitary"}]}, "#/outputs", "distinct names"),
        ({"outputs": [{"type": "unitary", "name": "../x"}]}, "#/outputs", "letters, digits"),
        ({"outputs": [{"type": "unitary", "name": ""}]}, "#/outputs", "letters, digits"),
        ({"outputs": [{"type": "statevector", "qubits": [0]}]}, "#/outputs", "no qubits for 'statevector'"),
        ({"outputs": [{"type": "counts", "qubits": [0]}]}, "#/outputs", "no qubits for 'counts'"),
        ({"outputs": [{"type": "entropy", "qubits": []}]}, "#/outputs", "not be empty"),
        ({"outputs": [{"type": "entropy", "qubits": [True]}]}, "#/outputs", "numbers"),
        ({"outputs": [{"type": "entropy", "qubits": [0, 0]}]}, "#/outputs", "distinct qubits"),
        ({"outputs": [{"type": "entropy", "qubits": [-1]}]}, "#/outputs", "distinct qubits"),
        ({"outputs": [{"type": "entropy", "qubits": [10**9]}]}, "#/outputs", "distinct qubits"),
        ({"outputs": [{"type": "entropy", "name": f"e{n}"} for n in range(33)]}, "#/outputs", "at most 32"),
        ({"outputs": [{"type": "entropy", "at": "2a"}]}, "#/outputs", "not a digit first"),
        ({"outputs": [{"type": "entropy", "at": 7}]}, "#/outputs", "not a digit first"),
        ({"outputs": [{"type": "entropy", "at": ""}]}, "#/outputs", "not a digit first"),
        ({"outputs": [{"type": "counts", "at": "a"}]}, "#/outputs", "no place 'at' for 'counts'"),
        ({"outputs": ["expectation_values"]}, "#/outputs", "must have observables"),
        ({"outputs": [{"type": "entropy", "observables": [{"Z": 1}]}]}, "#/outputs", "'expectation_values' only"),
        ({"outputs": [{"type": "entropy", "variance": True}]}, "#/outputs", "'expectation_values' only"),
        ({"outputs": [{**VALUES, "observables": []}]}, "#/outputs", "must have observables"),
        ({"outputs": [{**VALUES, "observables": {"Z": 1}}]}, "#/outputs", "must have observables"),
        ({"outputs": [{**VALUES, "observables": [{}]}]}, "#/outputs", "must not be empty"),
        ({"outputs": [{**VALUES, "observables": [{"Q": 1}]}]}, "#/outputs", "letters I, X, Y and Z"),
        ({"outputs": [{**VALUES, "observables": [{"Z": 1}, {"ZZ": 1}]}]}, "#/outputs", "labels of one length"),
        ({"outputs": [{**VALUES, "observables": [{"Z": "1"}]}]}, "#/outputs", "finite numbers"),
        ({"outputs": [{**VALUES, "variance": 1}]}, "#/outputs", "true or false"),
        ({"outputs": [{**VALUES, "qubits": [0, 1]}]}, "#/outputs", "a letter for each of the 2 qubits"),
        ({"outputs": [{**VALUES, "observables": MANY}]}, "#/outputs", "at most 1000 labels"),
        ({"outputs": [{**VALUES, "observables": LONG}]}, "#/outputs", "65536 letters in them"),
        ({"outputs": ["statevector"], "shots": 5}, "#/shots", "add 'counts'"),
        ({"outputs": ["statevector"], "memory": True}, "#/memory", "add 'counts'"),
        ({"outputs": ["statevector"], "observables": [{"Z": 1}]}, "#/outputs", "two tasks"),
        (
            {"outputs": ["counts", "unitary"], "noise": {"name": "readout", "p01": 0.1, "p10": 0.1}},
            "#/outputs",
            "no unitary with noise: ask for density_matrix",
        ),
        ({"outputs": ["unitary"], "kind": "convert", "target": "qpy"}, "#/outputs", "no meaning"),
    ],
)
async def test_contradictions_are_rejected(
    client: httpx.AsyncClient, repository: FakeTaskRepository, body: dict[str, Any], pointer: str, words: str
) -> None:
    response = await client.post("/tasks", json={"qc": "qubit q;", **body})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request"), problem
    assert all(error["pointer"].startswith(pointer) for error in problem["errors"])
    assert words in problem["detail"]
    assert repository.submissions == []


async def test_places_and_observables_are_stored(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    values = {"type": "expectation_values", "name": "v", "at": "b", "observables": [{"ZX": 1}], "variance": True}
    outputs = [{"type": "statevector", "at": "a"}, values]
    response = await client.post("/tasks", json={"qc": "qubit[2] q;", "outputs": outputs})
    assert response.status_code == 202
    assert repository.submissions[0].spec.options.outputs == (
        RequestedOutput(OutputType.STATEVECTOR, "statevector", at="a"),
        RequestedOutput(OutputType.EXPECTATION_VALUES, "v", None, "b", ({"ZX": 1.0},), variance=True),
    )
    view = (await client.get(response.headers["location"])).json()
    assert view["outputs"] == [{"type": "statevector", "name": "statevector", "at": "a"}, values]


async def test_noise_has_what_is_averaged(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    noise = {"name": "readout", "p01": 0.1, "p10": 0.1}
    outputs = ["counts", "density_matrix", "probabilities", "entropy", VALUES]
    response = await client.post("/tasks", json={"qc": "qubit q;", "outputs": outputs, "noise": noise})
    assert response.status_code == 202
    assert len(repository.submissions) == 1


async def test_other_outputs_are_another_submission(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    responses = [
        await client.post("/tasks", json={"qc": "qubit q;", "outputs": outputs}, headers=key)
        for outputs in (["statevector"], [{"type": "statevector"}], ["unitary"])
    ]
    assert [response.status_code for response in responses] == [202, 202, 422]


@pytest.mark.usefixtures("task")
async def test_result_has_outputs_and_no_counts(client: httpx.AsyncClient) -> None:
    view = (await client.get(f"/tasks/{TASK_ID}")).json()
    assert view["result"]["outputs"]["half"] == {"type": "entropy", "qubits": [0], "values": 1.0}
    assert "counts" not in view["result"]
    response = await client.get(PATH)
    assert (response.status_code, response.json()["code"]) == (409, "no_counts")
    assert (await client.get(ADDRESS)).json() == view["result"]["outputs"]
    assert (await client.get(f"{ADDRESS}/matrix")).json() == view["result"]["outputs"]["matrix"]
    plain = (await client.get(f"/tasks/{TASK_ID}?shape=plain")).json()
    assert plain["result"]["statevector"] == STATE.values


@pytest.mark.usefixtures("task")
async def test_client_reads_complex_numbers(client: httpx.AsyncClient) -> None:
    result = read_task((await client.get(f"/tasks/{TASK_ID}")).json()).result
    assert result is not None
    assert result.outputs["statevector"].values == [complex(ROOT), 0j, 0j, complex(0, ROOT)]
    assert np.array(result.outputs["matrix"].values).tolist() == [[0.5, 0.25j], [-0.25j, 0.5]]
    assert result.outputs["half"].values == 1.0


@pytest.mark.usefixtures("task")
async def test_outputs_are_arrays_of_numpy(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{ADDRESS}/statevector", headers=NPY)
    assert response.headers["content-type"] == "application/x-npy"
    state = np.load(io.BytesIO(response.content), allow_pickle=False)
    assert state.dtype == np.complex128
    assert state.tolist() == [complex(ROOT), 0j, 0j, complex(0, ROOT)]
    archive = np.load(io.BytesIO((await client.get(ADDRESS, headers=NPZ)).content), allow_pickle=False)
    assert sorted(archive) == ["half", "matrix", "statevector"]
    assert (archive["half"].shape, float(archive["half"])) == ((), 1.0)
    assert archive["matrix"].tolist() == [[0.5, 0.25j], [-0.25j, 0.5]]


@pytest.mark.usefixtures("sweep")
async def test_outputs_of_a_sweep(client: httpx.AsyncClient) -> None:
    shown = [{"type": "probabilities", "qubits": [0], "values": values} for values in ([0.25, 0.75], [0.5, 0.5])]
    assert (await client.get(f"/tasks/{TASK_ID}")).json()["result"]["outputs"] == [{"p": one} for one in shown]
    assert (await client.get(f"{ADDRESS}/p")).json() == shown
    assert (await client.get(f"{ADDRESS}/p?point=1")).json() == shown[1]
    array = np.load(io.BytesIO((await client.get(f"{ADDRESS}/p", headers=NPY)).content), allow_pickle=False)
    assert array.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    beyond = await client.get(f"{ADDRESS}?point=2")
    assert (beyond.status_code, beyond.json()["code"]) == (422, "invalid_request")
    counts = await client.get(PATH)
    assert (counts.status_code, counts.json()["code"]) == (409, "no_counts")


@pytest.mark.usefixtures("task")
async def test_problems_of_outputs(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    missing = await client.get(f"{ADDRESS}/other")
    assert (missing.status_code, missing.json()["code"]) == (404, "output_not_found")
    assert "statevector" in missing.json()["detail"]
    point = await client.get(f"{ADDRESS}?point=0")
    assert (point.status_code, point.json()["code"]) == (422, "invalid_request")
    text = await client.get(ADDRESS, headers={"Accept": "text/csv"})
    assert (text.status_code, text.json()["code"]) == (406, "not_acceptable")
    repository.tasks[TASK_ID] = STORED
    none = await client.get(ADDRESS)
    assert (none.status_code, none.json()["code"]) == (409, "no_outputs")


async def test_page_shows_the_largest_values(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/tasks", json={"qc": "qubit[2] q;", "outputs": ["statevector"]})
    task_id = TaskId(UUID(response.json()["task_id"]))
    stored = repository.tasks[task_id]
    repository.tasks[task_id] = replace(
        stored, status=TaskStatus.COMPLETED, completed_at=NOW, outputs={**OUTPUTS, **VALUES_OF}
    )
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert "<strong>half</strong> (entropy) of qubit 0" in page
    assert "0.707107 + 0i" in page
    assert "0.5 (variance 0.75)" in page
    assert "-0.25" in page
    assert "0 + 0.707107i" in page
    assert np.load(
        io.BytesIO((await client.get(f"/ui/tasks/{task_id}/outputs.npz")).content), allow_pickle=False
    ).files == ["statevector", "half", "matrix", "moments", "means"]


async def test_form_has_outputs(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    fields = {"qc": "qubit q;", "shots": "1024", "outputs": '["statevector"]'}
    assert (await client.post("/ui/submit", data=fields)).status_code == 303
    assert repository.submissions[0].spec.options.outputs == (RequestedOutput(OutputType.STATEVECTOR, "statevector"),)
    wrong = await client.post("/ui/submit", data={**fields, "outputs": "statevector"})
    assert "must be a JSON array" in wrong.text

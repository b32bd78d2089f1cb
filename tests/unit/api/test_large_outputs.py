"""Large outputs, which are sent from the text of a result: the same as those that are decoded."""

import io
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest

from ketline.api.tasks.output_text import OutputText, chosen_text
from ketline.api.tasks.stored import MAX_AT_ONCE_BYTES
from ketline.domain.ids import TaskId
from ketline.domain.results.outputs import COMPLEX, Output, OutputType
from ketline.domain.results.result import Point
from ketline.domain.status import TaskStatus
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_results import STORED, TASK_ID

ADDRESS = f"/tasks/{TASK_ID}/outputs"
NPY, NPZ = {"Accept": "application/x-npy"}, {"Accept": "application/x-npz"}
QUBITS = 14


def outputs_of(seed: int, qubits: int = QUBITS) -> Mapping[str, Output]:
    """Random numbers of all shapes, some in scientific notation, some integers."""
    draw = random.Random(seed)

    def number() -> float:
        return draw.choice([draw.uniform(-1, 1), draw.uniform(-1, 1) * 1e-17, 0.0, 1])

    state: Any = [[number(), number()] for _ in range(1 << qubits)]
    matrix: Any = [[[number(), number()] for _ in range(4)] for _ in range(4)]
    return {
        "state": Output(OutputType.STATEVECTOR, list(range(qubits)), state),
        "half": Output(OutputType.ENTROPY, [3], number()),
        "matrix.1": Output(OutputType.DENSITY_MATRIX, [1, 0], matrix),
        "p": Output(OutputType.PROBABILITIES, [1], [number(), number()]),
        "values": Output(OutputType.EXPECTATION_VALUES, [0, 1], [number(), number(), number()]),
        "moments": Output(OutputType.EXPECTATION_VALUES, [0, 1], [[number(), number()], [number(), number()]]),
    }


def array(output: Output) -> Any:
    values = np.array(output.values, dtype=float)
    return values @ np.array([1, 1j]) if output.type in COMPLEX else values


@pytest.fixture
def outputs(repository: FakeTaskRepository) -> Mapping[str, Output]:
    found = outputs_of(1)
    repository.tasks[TASK_ID] = replace(STORED, memory=None, outputs=found)
    return found


@pytest.fixture
def points(repository: FakeTaskRepository) -> list[Mapping[str, Output]]:
    found = [outputs_of(seed, 12) for seed in range(3)]
    repository.tasks[TASK_ID] = replace(
        STORED, counts=None, memory=None, points=[Point(counts={"0": 1}, outputs=one) for one in found]
    )
    return found


async def is_large(client: httpx.AsyncClient) -> bool:
    return len((await client.get(f"/tasks/{TASK_ID}")).content) > MAX_AT_ONCE_BYTES


async def test_json_is_that_of_the_task(client: httpx.AsyncClient, outputs: Mapping[str, Output]) -> None:
    assert await is_large(client)
    whole = (await client.get(f"/tasks/{TASK_ID}")).json()["result"]["outputs"]
    assert whole["state"]["values"] == outputs["state"].values
    assert (await client.get(ADDRESS)).json() == whole
    for name in outputs:
        assert (await client.get(f"{ADDRESS}/{name}")).json() == whole[name]


async def test_arrays_are_those_of_numpy(client: httpx.AsyncClient, outputs: Mapping[str, Output]) -> None:
    archive = np.load(io.BytesIO((await client.get(ADDRESS, headers=NPZ)).content), allow_pickle=False)
    page = await client.get(f"/ui/tasks/{TASK_ID}/outputs.npz")
    assert page.content == (await client.get(ADDRESS, headers=NPZ)).content
    assert page.headers["content-disposition"] == f'attachment; filename="outputs-{TASK_ID}.npz"'
    for name, output in outputs.items():
        alone = np.load(io.BytesIO((await client.get(f"{ADDRESS}/{name}", headers=NPY)).content), allow_pickle=False)
        for found in (archive[name], alone):
            assert (found.dtype, found.shape) == (array(output).dtype, array(output).shape)
            assert (found == array(output)).all()


@pytest.mark.parametrize("counted", [False, True])
async def test_page_shows_the_largest_entries(
    client: httpx.AsyncClient, repository: FakeTaskRepository, counted: bool
) -> None:
    """From the text of the result, and decoded where the task has counts as well."""
    body = {"qc": "qubit[2] q;", "outputs": ["statevector", *(["counts"] if counted else [])]}
    task_id = TaskId(UUID((await client.post("/tasks", json=body)).json()["task_id"]))
    values: Any = [[1e-9, 0.0]] * (1 << 15)
    values[12345] = [0.5, -0.25]
    found = {**outputs_of(1), "state": Output(OutputType.STATEVECTOR, list(range(15)), values)}
    repository.tasks[task_id] = replace(
        repository.tasks[task_id],
        status=TaskStatus.COMPLETED,
        completed_at=STORED.completed_at,
        outputs=found,
        counts={"00": 1024} if counted else None,
    )
    assert len((await client.get(f"/tasks/{task_id}")).content) > MAX_AT_ONCE_BYTES
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert f"{12345:015b}" in page
    assert "0.5 - 0.25i" in page
    assert "<strong>half</strong> (entropy)" in page
    means = found["moments"].values
    assert f"{means[1][0]:.6g} (variance {means[1][1]:.6g})" in page  # type: ignore[index]


async def test_points_of_a_sweep(client: httpx.AsyncClient, points: list[Mapping[str, Output]]) -> None:
    assert await is_large(client)
    whole = (await client.get(f"/tasks/{TASK_ID}")).json()["result"]["outputs"]
    assert (await client.get(ADDRESS)).json() == whole
    assert (await client.get(f"{ADDRESS}?point=1")).json() == whole[1]
    assert (await client.get(f"{ADDRESS}/moments")).json() == [one["moments"] for one in whole]
    assert (await client.get(f"{ADDRESS}/moments?point=2")).json() == whole[2]["moments"]
    found = np.load(io.BytesIO((await client.get(f"{ADDRESS}/state", headers=NPY)).content), allow_pickle=False)
    assert (found == np.array([array(one["state"]) for one in points])).all()
    archive = np.load(io.BytesIO((await client.get(ADDRESS, headers=NPZ)).content), allow_pickle=False)
    assert (archive["half"] == [one["half"].values for one in points]).all()
    assert archive["matrix.1"].shape == (3, 4, 4)


@pytest.mark.usefixtures("outputs")
async def test_problems(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    unknown = await client.get(f"{ADDRESS}/other")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "output_not_found")
    assert "it has: state, half" in unknown.json()["detail"]
    point = await client.get(f"{ADDRESS}/state?point=0")
    assert (point.status_code, point.json()["code"]) == (422, "invalid_request")
    counts = {format(number, "020b"): 1 for number in range(1 << 14)}
    repository.tasks[TASK_ID] = replace(STORED, counts=counts, memory=None, shots=1 << 14)
    assert await is_large(client)
    for path in (ADDRESS, f"{ADDRESS}/state"):
        none = await client.get(path)
        assert (none.status_code, none.json()["code"]) == (409, "no_outputs")


@pytest.mark.usefixtures("points")
async def test_point_beyond_the_last(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{ADDRESS}?point=3")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert "less than 3" in response.json()["detail"]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("swept", [False, True])
def test_text_as_each_database_shows_it(separators: tuple[str, str], swept: bool) -> None:
    """PostgreSQL puts shorter names of fields first."""
    documents: list[Any] = [
        {
            name: {"type": one.type.value, "qubits": one.qubits, "values": one.values}
            for name, one in outputs_of(seed, 3).items()
        }
        for seed in range(2)
    ]
    outputs = documents if swept else documents[0]
    for result in ({"outputs": outputs, "counts": {"0": 1}}, {"shots": 1, "counts": {"0 1": 1}, "outputs": outputs}):
        chosen = chosen_text(json.dumps({**result, "success": True}, separators=separators), None)
        assert chosen is not None
        assert chosen.swept is swept
        found = [{name: json.loads("".join(one.pieces())) for name, one in point.items()} for point in chosen.points]
        assert found == (documents if swept else documents[:1])
        numbers = [OutputText.numbers(point["matrix.1"]).numbers.tolist() for point in chosen.points]
        assert numbers == [np.ravel(one["matrix.1"]["values"]).tolist() for one in found]

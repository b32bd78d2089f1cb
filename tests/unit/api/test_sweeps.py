"""Results of sweeps, and registers by their names."""

import io
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from ketline.domain.results.result import Point, Profile, Register
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_results import PATH, STORED, TASK_ID

PROFILE = Profile(
    method="statevector",
    qubits=3,
    depth=2,
    operations={},
    parsing_seconds=0.0,
    simulating_seconds=0.0,
    registers=(Register(bits=2, name="c"), Register(bits=1)),
)
POINTS = [
    Point(counts={"0 01": 1, "1 01": 2}, memory=["1 01", "0 01", "1 01"]),
    Point(counts={"1 10": 3}, memory=["1 10", "1 10", "1 10"]),
]
SWEEP = replace(STORED, shots=3, counts=None, memory=None, points=POINTS, profile=PROFILE)
MEMORY = PATH.replace("counts", "memory")


@pytest.fixture(autouse=True)
def stored(repository: FakeTaskRepository) -> None:
    repository.tasks[TASK_ID] = SWEEP


async def test_result_of_a_sweep_has_an_array_of_counts(client: httpx.AsyncClient) -> None:
    view = (await client.get(f"/tasks/{TASK_ID}")).json()
    assert view["result"] == {
        "counts": [dict(point.counts) for point in POINTS],
        "memory": [point.memory for point in POINTS],
        "shots": 3,
        "success": True,
    }
    assert view["profile"]["registers"] == [{"name": "c", "bits": 2}, {"bits": 1}]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [{"0 01": 1, "1 01": 2}, {"1 10": 3}]),
        ("?top=1", [{"1 01": 2}, {"1 10": 3}]),
        ("?format=hex", [{"0x1": 1, "0x5": 2}, {"0x6": 3}]),
        ("?register=c", [{"01": 3}, {"10": 3}]),
        ("?register=1", [{"0": 1, "1": 2}, {"1": 3}]),
        ("?point=0", {"0 01": 1, "1 01": 2}),
        ("?point=1&register=c", {"10": 3}),
    ],
)
async def test_counts_of_a_sweep(client: httpx.AsyncClient, query: str, expected: Any) -> None:
    response = await client.get(f"{PATH}{query}")
    assert response.json() == expected
    assert response.headers["X-Shots"] == ("3" if "point" in query else "6")


async def test_counts_of_a_sweep_as_lines_and_records(client: httpx.AsyncClient) -> None:
    lines = (await client.get(PATH, headers={"Accept": "text/csv"})).text
    assert lines.splitlines() == ["point,outcome,count", "0,0 01,1", "0,1 01,2", "1,1 10,3"]
    records = np.load(io.BytesIO((await client.get(PATH, headers={"Accept": "application/x-npy"})).content))
    assert records.dtype.names == ("point", "outcome", "count")
    assert records.tolist() == [(0, b"0 01", 1), (0, b"1 01", 2), (1, b"1 10", 3)]


async def test_shots_of_a_sweep(client: httpx.AsyncClient) -> None:
    assert (await client.get(MEMORY)).json() == [point.memory for point in POINTS]
    assert (await client.get(f"{MEMORY}?point=1&register=c")).json() == ["10", "10", "10"]
    lines = (await client.get(MEMORY, headers={"Accept": "text/csv"})).text
    assert lines.splitlines()[:3] == ["point,outcome", "0,1 01", "0,0 01"]
    bits = np.load(io.BytesIO((await client.get(MEMORY, headers={"Accept": "application/x-npy"})).content))
    assert (bits.shape, bits.dtype) == ((2, 3, 3), np.uint8)
    assert bits[0].tolist() == [[1, 0, 1], [1, 0, 0], [1, 0, 1]]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("point=2", "must be less than 2, the number of points of this task"),
        ("register=2", "must be less than 2, the number of registers of this task"),
        ("register=d", "must be a register of this task; they are c"),
        ("register=", "must not be empty"),
    ],
)
async def test_other_points_and_registers_are_rejected(client: httpx.AsyncClient, query: str, detail: str) -> None:
    response = await client.get(f"{PATH}?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    [error] = response.json()["errors"]
    assert detail in error["detail"]
    assert error["parameter"] == query.partition("=")[0]


async def test_task_that_is_no_sweep_has_no_points(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.tasks[TASK_ID] = STORED
    response = await client.get(f"{PATH}?point=0")
    assert response.status_code == 422
    assert response.json()["errors"][0]["detail"] == "must be left out: this task is no sweep"


async def test_registers_of_tasks_of_before_they_were_recorded_have_numbers(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.tasks[TASK_ID] = STORED
    assert (await client.get(f"{PATH}?register=1")).json() == {"0": 2, "1": 3}
    response = await client.get(f"{PATH}?register=c")
    assert response.json()["errors"][0]["detail"] == "must be a register of this task; they are known by number only"

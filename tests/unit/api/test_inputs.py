"""Values for the inputs of a program: taken over as they are, or rejected by the envelope."""

from typing import Any

import httpx
import pytest

from tests.fakes import FakeTaskRepository


async def test_inputs_are_stored_with_the_task(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    array = {"array": [[1, True], ["01", 0.5]]}
    inputs = {"theta": 0.3, "n": 4, "flag": True, "bits": "0101", "θ": -1, "array": array}
    response = await client.post("/tasks", json={"qc": "x", "inputs": inputs})
    assert response.status_code == 202
    stored = repository.submissions[0].spec.inputs
    assert stored == inputs
    assert [type(value) for value in stored.values()] == [float, int, bool, str, int, dict]


@pytest.mark.parametrize(
    "inputs",
    [
        {"a b": 1},
        {"": 1},
        {"1a": 1},
        {"a" * 300: 1},
        {"a\u0000": 1},
        {"a": None},
        {"a": []},
        {"a": [1, None]},
        {"a": [[1]]},
        {"a": [0.1, "2"]},
        {"a": [1, 2], "b": [1, 2, 3]},
        {"a": [0] * 10_001},
        {"a": {"b": 1}},
        {"a": {"array": 1}},
        {"a": {"array": []}},
        {"a": {"array": [1, []]}},
        {"a": {"array": [1, None]}},
        {"a": {"array": [[1], {"array": [1]}]}},
        {"a": {"array": [1], "b": 1}},
        {"a": {"array": [0] * 10_001}},
        {"a": {"array": [[0] * 101] * 100}},
        {"a": {"array": [[[[[[[[1]]]]]]]]}},
        {"a": [{"array": [1]}, {"array": "01"}]},
        {"a": "012"},
        {"a": ""},
        {"a": "1" * 4097},
        {"a": 2**64},
        {"a": -(2**64)},
        [1],
        "a",
        {f"a{number}": 1 for number in range(1001)},
    ],
)
async def test_other_inputs_are_rejected(
    client: httpx.AsyncClient, repository: FakeTaskRepository, inputs: Any
) -> None:
    response = await client.post("/tasks", json={"qc": "x", "inputs": inputs})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert not repository.submissions


@pytest.mark.parametrize("wrong", [[None] * 300, [], {"b": 1}])
async def test_only_the_first_fault_of_inputs_is_reported(client: httpx.AsyncClient, wrong: Any) -> None:
    """Of a union every member would list its own for every value: seconds, and gigabytes."""
    response = await client.post("/tasks", json={"qc": "x", "inputs": {f"a{number}": wrong for number in range(5)}})
    [error] = response.json()["errors"]
    assert error["pointer"] == "#/inputs"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
async def test_inputs_are_finite(client: httpx.AsyncClient, repository: FakeTaskRepository, number: str) -> None:
    response = await client.post(
        "/tasks",
        content=f'{{"qc": "x", "inputs": {{"a": {number}}}}}',
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code in (400, 422)
    assert not repository.submissions


async def test_a_key_stands_for_the_inputs_too(client: httpx.AsyncClient) -> None:
    responses = [
        await client.post("/tasks", json={"qc": "x", "inputs": inputs}, headers={"Idempotency-Key": "k"})
        for inputs in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3})
    ]
    assert [response.status_code for response in responses] == [202, 202, 422]
    assert responses[0].json() == responses[1].json()

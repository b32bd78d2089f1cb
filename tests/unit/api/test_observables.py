"""Observables over HTTP."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.fakes import FakeTaskRepository
from tests.unit.api.test_results import PATH, STORED, TASK_ID

PAIR: list[dict[str, float]] = [{"ZZ": 1.0}, {"XX": 0.5, "IZ": -2}]


@pytest.mark.parametrize(
    ("observables", "inputs"),
    [(PAIR, {}), (PAIR, {"t": [0.1, 0.2]}), ([PAIR, PAIR[:1]], {"t": [0.1, 0.2]})],
)
async def test_observables_are_stored(
    client: httpx.AsyncClient, repository: FakeTaskRepository, observables: list[Any], inputs: dict[str, Any]
) -> None:
    response = await client.post("/tasks", json={"qc": "qubit[2] q;", "observables": observables, "inputs": inputs})
    assert response.status_code == 202
    assert list(repository.submissions[0].spec.options.observables) == observables


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"observables": [{"AB": 1}]}, "#/observables", "letters I, X, Y and Z"),
        ({"observables": [{"": 1}]}, "#/observables", "letters I, X, Y and Z"),
        ({"observables": [{"ZZ": 1, "Z": 1}]}, "#/observables", "one length"),
        ({"observables": [{"Z": 1}] * 1001}, "#/observables", "at most 1000"),
        ({"observables": PAIR, "memory": True}, "#/memory", "no counts"),
        ({"observables": PAIR, "shots": 5, "precision": 0.1}, "#/precision", "leave shots out"),
        ({"precision": 0.1}, "#/precision", "without observables"),
        ({"observables": PAIR, "precision": 0}, "#/precision", "more than 0"),
        ({"observables": PAIR, "precision": -1}, "#/precision", "more than 0"),
        ({"observables": PAIR, "precision": "0.1"}, "#/precision", "must be a number"),
        ({"observables": PAIR, "precision": 1e-6}, "#/precision", "shots, and this service runs at most"),
        ({"observables": [{"Z": 1e299}], "precision": 1e-300}, "#/precision", "shots"),
        ({"observables": PAIR, "shots": 100_000_000}, "#/shots", "at most"),
        ({"observables": PAIR, "precision": 0.1, "kind": "convert", "target": "qpy"}, "#/observables", "no meaning"),
        ({"observables": [PAIR, PAIR]}, "#/observables", "one list for all points"),
        ({"observables": [PAIR, PAIR], "inputs": {"t": [1, 2, 3]}}, "#/observables", "3 points"),
        ({"observables": [{}]}, "#/observables", "not be empty"),
        ({"observables": [{"Z": "1"}]}, "#/observables", ""),
        ({"observables": [{"Z": None}]}, "#/observables", ""),
        ({"observables": "Z"}, "#/observables", ""),
    ],
)
async def test_contradictions_are_rejected(
    client: httpx.AsyncClient, repository: FakeTaskRepository, body: dict[str, Any], pointer: str, words: str
) -> None:
    response = await client.post("/tasks", json={"qc": "qubit[2] q;", **body})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request")
    assert all(error["pointer"].startswith(pointer) for error in problem["errors"])
    assert words in problem["detail"]
    assert repository.submissions == []


@pytest.mark.parametrize(
    ("body", "sampled", "precision", "shots"),
    [
        ({}, False, None, 777),
        ({"shots": None}, False, None, 777),
        ({"shots": 500}, True, None, 500),
        ({"precision": 0.05}, True, 0.05, 2500),
        ({"precision": 0.05, "shots": None}, True, 0.05, 2500),
    ],
)
async def test_shots_or_a_precision_ask_for_estimates(
    client: httpx.AsyncClient,
    repository: FakeTaskRepository,
    body: dict[str, Any],
    sampled: bool,
    precision: float | None,
    shots: int,
) -> None:
    for path, sent in (("/tasks", {}), ("/tasks/batch", None)):
        one = {"qc": "qubit[2] q;", "observables": PAIR, **body}
        response = await client.post(path, json=one if sent is not None else {"tasks": [one]})
        assert response.status_code == 202, response.text
        spec = repository.submissions[-1].spec
        assert (spec.options.sampled, spec.options.precision, spec.shots) == (sampled, precision, shots)
    view = (await client.get(f"/tasks/{response.json()['tasks'][0]['task_id']}")).json()
    assert (view.get("sampled", False), view.get("precision"), view["shots"]) == (sampled, precision, shots)


async def test_shots_of_counts_ask_for_no_estimates(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    await client.post("/tasks", json={"qc": "qubit[2] q;", "shots": 7})
    assert not repository.submissions[0].spec.options.sampled


@pytest.mark.parametrize("number", ["NaN", "1e999", "Infinity"])
async def test_coefficients_are_finite(client: httpx.AsyncClient, number: str) -> None:
    body = f'{{"qc": "qubit q;", "observables": [{{"Z": {number}}}]}}'
    response = await client.post("/tasks", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422


async def test_terms_are_limited_in_all(client: httpx.AsyncClient) -> None:
    wide = {f"{number:011b}".replace("0", "I").replace("1", "X"): 1 for number in range(2000)}
    response = await client.post("/tasks/batch", json={"tasks": [{"qc": "q", "observables": [wide] * 51}]})
    assert response.status_code in (413, 422)


async def test_another_observable_is_another_submission(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first, again, other = [
        await client.post("/tasks", json={"qc": "qubit[2] q;", "observables": observables}, headers=key)
        for observables in (PAIR, PAIR, PAIR[:1])
    ]
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.json() == again.json()


@pytest.mark.parametrize("values", [[0.5, -1.0], [[0.5, -1.0], [0.25, 1.0]]])
async def test_result_has_values_and_no_counts(
    client: httpx.AsyncClient, repository: FakeTaskRepository, values: list[Any]
) -> None:
    repository.tasks[TASK_ID] = replace(STORED, counts=None, memory=None, expectation_values=values)
    view = (await client.get(f"/tasks/{TASK_ID}")).json()
    assert view["result"] == {"expectation_values": values, "success": True}
    response = await client.get(PATH)
    assert (response.status_code, response.json()["code"]) == (409, "no_counts")


@pytest.mark.parametrize("errors", [[0.1, 0.0], [[0.1, 0.0], [0.25, 0.5]]])
async def test_result_has_standard_errors_of_estimates(
    client: httpx.AsyncClient, repository: FakeTaskRepository, errors: list[Any]
) -> None:
    repository.tasks[TASK_ID] = replace(
        STORED, counts=None, memory=None, expectation_values=errors, standard_errors=errors
    )
    view = (await client.get(f"/tasks/{TASK_ID}")).json()
    assert view["result"] == {"expectation_values": errors, "standard_errors": errors, "success": True}

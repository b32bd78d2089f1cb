"""Mitigation over HTTP: what is stored, what is shown, and what is rejected before it is stored."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from ketline.domain.results.mitigation import (
    DEFAULT_CALIBRATION_SHOTS,
    Extrapolation,
    Folding,
    Mitigation,
    ZeroNoise,
    mitigation_of,
)
from ketline.domain.results.result import Point
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_results import STORED, TASK_ID

BODY = {"qc": "qubit q;", "observables": [{"Z": 1.0}], "noise": {"name": "depolarizing", "one_qubit": 0.01}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"zne": {}}, Mitigation(zne=ZeroNoise())),
        (
            {"zne": {"scale_factors": [5, 1, 2.5], "extrapolation": "polynomial", "order": 1, "folding": "local"}},
            Mitigation(
                zne=ZeroNoise(
                    scale_factors=(1.0, 2.5, 5.0),
                    extrapolation=Extrapolation.POLYNOMIAL,
                    order=1,
                    folding=Folding.LOCAL,
                )
            ),
        ),
        (
            {"zne": {"extrapolation": "exponential", "asymptote": 0.25}, "readout": False},
            Mitigation(zne=ZeroNoise(extrapolation=Extrapolation.EXPONENTIAL, asymptote=0.25)),
        ),
    ],
)
async def test_mitigation_is_stored_and_shown(
    client: httpx.AsyncClient, repository: FakeTaskRepository, given: Any, expected: Mitigation
) -> None:
    response = await client.post("/tasks", json={**BODY, "mitigation": given})
    assert response.status_code == 202, response.text
    assert repository.submissions[0].spec.options.mitigation == expected
    view = (await client.get(response.headers["location"])).json()
    assert view["mitigation"] == expected.as_json()


async def test_readout_is_corrected_with_shots(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    for more in ({"shots": 100}, {"precision": 0.1}):
        response = await client.post(
            "/tasks/batch", json={"tasks": [{**BODY, **more, "mitigation": {"readout": True}}]}
        )
        assert response.status_code == 202, response.text
        assert repository.submissions[-1].spec.options.mitigation == Mitigation(readout=True)


@pytest.mark.parametrize(
    ("readout", "shots"),
    [
        (True, None),
        ({}, None),
        ({"calibration": "exact"}, None),
        ({"calibration": "measured"}, DEFAULT_CALIBRATION_SHOTS),
        ({"calibration": "measured", "shots": 500}, 500),
    ],
)
async def test_readout_of_counts_is_corrected(
    client: httpx.AsyncClient, repository: FakeTaskRepository, readout: Any, shots: int | None
) -> None:
    for of_counts in ({}, {"outputs": ["counts", "probabilities"]}, {"noise": None, "device": "line-27"}):
        body = {**BODY, "observables": [], "mitigation": {"readout": readout}, **of_counts}
        response = await client.post("/tasks", json=body)
        assert response.status_code == 202, response.text
        expected = Mitigation(readout=True, calibration_shots=shots)
        assert repository.submissions[-1].spec.options.mitigation == expected
        assert mitigation_of(expected.as_json()) == expected


async def test_result_has_the_corrected_counts(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    readout = {"quasi_probabilities": {"0": 1.0}, "probabilities": {"0": 1.0}, "overhead": 1.1}
    for stored in (
        replace(STORED, counts={"0": 10}, memory=None, mitigation={"readout": readout}),
        replace(STORED, counts=None, memory=None, points=[Point(counts={"0": 10})], mitigation={"readout": [readout]}),
    ):
        repository.tasks[TASK_ID] = stored
        view = (await client.get(f"/tasks/{TASK_ID}")).json()
        assert view["result"]["mitigation"] == stored.mitigation


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"mitigation": {"readout": True}, "observables": [], "outputs": ["entropy"]}, "#/mitigation", "without obs"),
        ({"mitigation": {"readout": True}, "observables": [], "noise": None}, "#/mitigation", "without noise"),
        ({"mitigation": {"readout": 1}}, "#/mitigation/readout", "true, false"),
        ({"mitigation": {"readout": {"shots": 10}}}, "#/mitigation/readout/shots", "'measured' only"),
        ({"mitigation": {"readout": {"calibration": "guessed"}}}, "#/mitigation/readout/calibration", "'exact'"),
        (
            {"mitigation": {"readout": {"calibration": "measured", "shots": 0}}},
            "#/mitigation/readout/shots",
            "at least 1",
        ),
        ({"mitigation": {"zne": {}}, "observables": []}, "#/mitigation", "without observables"),
        ({"mitigation": {"zne": {}}, "noise": None}, "#/mitigation", "without noise"),
        ({"mitigation": {"readout": True}}, "#/mitigation", "exact values have no readout errors"),
        ({"mitigation": {}}, "#/mitigation", "zne, or readout"),
        ({"mitigation": {"readout": False}}, "#/mitigation", "zne, or readout"),
        ({"mitigation": "zne"}, "#/mitigation", "JSON object"),
        ({"mitigation": {"pec": {}}}, "#/mitigation/pec", "not a known field"),
        ({"mitigation": {"zne": {"scale_factors": [1]}}}, "#/mitigation/zne/scale_factors", ""),
        ({"mitigation": {"zne": {"scale_factors": [1, 1.0, 3]}}}, "#/mitigation/zne/scale_factors", "different"),
        ({"mitigation": {"zne": {"scale_factors": [0.5, 3]}}}, "#/mitigation/zne/scale_factors/0", "at least 1"),
        ({"mitigation": {"zne": {"scale_factors": [1, 1e9]}}}, "#/mitigation/zne/scale_factors/1", "at most 99"),
        ({"mitigation": {"zne": {"scale_factors": [1, "3"]}}}, "#/mitigation/zne/scale_factors/1", "number"),
        (
            {"mitigation": {"zne": {"scale_factors": list(range(1, 13))}}},
            "#/mitigation/zne/scale_factors",
            "at most 10",
        ),
        ({"mitigation": {"zne": {"extrapolation": "cubic"}}}, "#/mitigation/zne/extrapolation", "'linear'"),
        ({"mitigation": {"zne": {"folding": "random"}}}, "#/mitigation/zne/folding", "'global' or 'local'"),
        ({"mitigation": {"zne": {"order": 2}}}, "#/mitigation/zne/order", "'polynomial' only"),
        ({"mitigation": {"zne": {"asymptote": 0}}}, "#/mitigation/zne/asymptote", "'exponential' only"),
        (
            {"mitigation": {"zne": {"extrapolation": "exponential", "asymptote": 1e308}}},
            "#/mitigation",
            "never reaches",
        ),
        (
            {"mitigation": {"zne": {"extrapolation": "polynomial", "order": 3}}},
            "#/mitigation/zne/scale_factors",
            "at least 4 numbers",
        ),
        ({"mitigation": {"zne": {}}, "kind": "convert", "target": "qpy", "noise": None}, "#/observables", "no meaning"),
    ],
)
async def test_what_makes_no_sense_is_rejected(
    client: httpx.AsyncClient, repository: FakeTaskRepository, body: dict[str, Any], pointer: str, words: str
) -> None:
    response = await client.post("/tasks", json={**BODY, **body})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request"), problem
    assert problem["errors"][0]["pointer"].startswith(pointer)
    assert words in problem["detail"]
    assert repository.submissions == []


async def test_result_has_the_values_at_each_scale_factor(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    zne = {"zne": {"scale_factors": [1.0, 3.0], "values": [[0.5], [0.25]], "curves": ["linear"]}}
    repository.tasks[TASK_ID] = replace(STORED, counts=None, memory=None, expectation_values=[0.625], mitigation=zne)
    view = (await client.get(f"/tasks/{TASK_ID}")).json()
    assert view["result"] == {"expectation_values": [0.625], "mitigation": zne, "success": True}

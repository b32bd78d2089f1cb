"""Devices of tasks over HTTP: what is stored, what is shown, and what is rejected before it is stored."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from ketline.domain.devices.device import device_from_json
from ketline.domain.devices.device_run import DeviceRun, Placement
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.results.result import Profile
from ketline.domain.tasks.spec import RunOptions
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_results import STORED, TASK_ID

LINE = generic_devices()["line-27"]
QC = "qubit q;"
IDEAL = {"name": "line-27", "noise": False}
TINY = {"qubits": [{}, {}], "gates": [{"name": "cz", "qubits": [0, 1]}]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("line-27", DeviceRun(name="line-27", digest=LINE.digest)),
        ({"name": "line-27"}, DeviceRun(name="line-27", digest=LINE.digest)),
        (
            {"name": "line-27", "optimization_level": 3, "seed": 2**32 - 1, "initial_layout": [26, 0], "noise": False},
            DeviceRun(
                name="line-27",
                optimization_level=3,
                seed=2**32 - 1,
                initial_layout=(26, 0),
                noise=False,
                digest=LINE.digest,
            ),
        ),
        ({"name": "line-27", "seed": None, "initial_layout": None}, DeviceRun(name="line-27", digest=LINE.digest)),
    ],
)
async def test_device_is_stored_with_what_it_is(
    client: httpx.AsyncClient, repository: FakeTaskRepository, given: Any, expected: DeviceRun
) -> None:
    response = await client.post("/tasks", json={"qc": QC, "device": given})
    assert response.status_code == 202, response.text
    stored = repository.submissions[0].spec.options.device
    assert stored == expected
    assert stored.text == LINE.text


@pytest.mark.parametrize(
    ("given", "pointer", "words"),
    [
        (7, "#/device", "name of a device"),
        ([], "#/device", "name of a device"),
        ({}, "#/device/name", "required"),
        ("", "#/device/name", ""),
        ("no spaces", "#/device/name", ""),
        ({"name": "line-27", "level": 1}, "#/device/level", "not a known field"),
        ({"name": "line-27", "optimization_level": 4}, "#/device/optimization_level", "at most 3"),
        ({"name": "line-27", "optimization_level": -1}, "#/device/optimization_level", "at least 0"),
        ({"name": "line-27", "optimization_level": True}, "#/device/optimization_level", "integer"),
        ({"name": "line-27", "seed": -1}, "#/device/seed", "at least 0"),
        ({"name": "line-27", "seed": 2**32}, "#/device/seed", "at most"),
        ({"name": "line-27", "noise": "no"}, "#/device/noise", ""),
        ({"name": "line-27", "initial_layout": []}, "#/device/initial_layout", ""),
        ({"name": "line-27", "initial_layout": [1, 1]}, "#/device/initial_layout", "entries 0 and 1 are both 1"),
        ({"name": "line-27", "initial_layout": [-1]}, "#/device/initial_layout/0", "at least 0"),
        ({"name": "line-27", "initial_layout": [3, 27]}, "#/device/initial_layout/1", "0 to 26, not 27"),
        ({"name": "line-27", "initial_layout": [10**9]}, "#/device/initial_layout/0", "less than"),
    ],
)
async def test_wrong_devices(
    client: httpx.AsyncClient, repository: FakeTaskRepository, given: Any, pointer: str, words: str
) -> None:
    for path, body, prefix in (
        ("/tasks", {"qc": QC, "device": given}, "#"),
        ("/validate", {"qc": QC, "device": given}, "#"),
        ("/tasks/batch", {"tasks": [{"qc": QC}, {"qc": QC, "device": given}]}, "#/tasks/1"),
    ):
        response = await client.post(path, json=body)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (422, "invalid_request"), response.text
        assert problem["errors"][0]["pointer"] == pointer.replace("#", prefix, 1)
        assert words in problem["errors"][0]["detail"]
    assert repository.submissions == []


async def test_unknown_device(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    for path, body, pointer in (
        ("/tasks", {"qc": QC, "device": "other"}, "#/device"),
        ("/validate", {"qc": QC, "device": "other"}, "#/device"),
        ("/tasks/batch", {"tasks": [{"qc": QC}, {"qc": QC, "device": "other"}]}, "#/tasks/1/device"),
    ):
        response = await client.post(path, json=body)
        assert (response.status_code, response.json()["code"]) == (422, "device_unknown")
        assert response.json()["errors"][0]["pointer"] == pointer
    assert repository.submissions == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"outputs": ["statevector"]}, "outputs"),
        ({"outputs": ["unitary"], "device": IDEAL}, "outputs"),
        ({"outputs": [{"type": "statevector", "at": "p"}], "device": IDEAL}, "outputs"),
        ({"observables": [{"Z": 1}], "mitigation": {"zne": {}}, "device": IDEAL}, "mitigation"),
        ({"noise": {"name": "depolarizing"}}, "noise"),
        ({"kind": "convert", "target": "qpy"}, "device"),
        ({"kind": "run", "backend": "other"}, "device"),
    ],
)
async def test_what_has_no_meaning_with_a_device(client: httpx.AsyncClient, more: Any, field: str) -> None:
    response = await client.post("/tasks", json={"qc": QC, "device": "line-27", **more})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == f"#/{field}"


@pytest.mark.parametrize(
    "more",
    [
        {"observables": [{"Z": 1}]},
        {"observables": [{"Z": 1}], "precision": 0.1, "mitigation": {"zne": {}, "readout": True}},
        {"observables": [{"Z": 1}], "inputs": {"t": 0.1}, "gradient": True},
        {"outputs": ["counts", "probabilities"]},
        {"outputs": [{"type": "density_matrix", "at": "p"}]},
        {"outputs": ["statevector"], "device": IDEAL},
        {"observables": [{"Z": 1}], "mitigation": {"zne": {}}, "device": IDEAL, "noise": {"name": "depolarizing"}},
    ],
)
async def test_values_and_states_on_a_device(
    client: httpx.AsyncClient, repository: FakeTaskRepository, more: Any
) -> None:
    response = await client.post("/tasks", json={"qc": QC, "device": "line-27", **more})
    assert response.status_code == 202, response.text
    assert len(repository.submissions) == 1


async def test_own_noise_and_counts_beside_an_ideal_device(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    body = {"noise": {"name": "depolarizing"}, "outputs": ["counts"], "device": {"name": "line-27", "noise": False}}
    assert (await client.post("/tasks", json={"qc": QC, **body})).status_code == 202
    assert len(repository.submissions) == 1


async def test_task_keeps_the_device_of_its_submission(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    """A device that is stored again is another device for later tasks only; a key repeats the earlier task."""
    await client.put("/devices/mine", json=TINY)
    key = {"Idempotency-Key": "once"}
    first = await client.post("/tasks", json={"qc": QC, "device": "mine"}, headers=key)
    await client.put("/devices/mine", json={**TINY, "description": "another"})
    again = await client.post("/tasks", json={"qc": QC, "device": "mine"}, headers=key)
    later = await client.post("/tasks", json={"qc": QC, "device": "mine"})
    assert again.json()["task_id"] == first.json()["task_id"] != later.json()["task_id"]
    runs = [submission.spec.options.device for submission in repository.submissions]
    assert runs[0] is not None
    assert runs[0].digest == device_from_json({**TINY, "name": "mine"}).digest
    assert runs[-1] is not None
    assert runs[-1].digest != runs[0].digest


async def test_task_shows_its_device_and_placement(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    run = DeviceRun(name="line-27", optimization_level=2, digest="ab")
    placement = Placement(
        device="line-27",
        digest="ab",
        optimization_level=2,
        layout=[3, 4],
        final_layout=[4, 3],
        depth=7,
        two_qubit_gates=2,
    )
    profile = Profile(
        method="statevector",
        qubits=2,
        depth=5,
        operations={"cz": 2},
        parsing_seconds=0.1,
        simulating_seconds=0.1,
        placement=placement,
    )
    repository.tasks[TASK_ID] = replace(STORED, options=RunOptions(device=run), profile=profile)
    task = (await client.get(f"/tasks/{TASK_ID}")).json()
    assert task["device"] == {"name": "line-27", "optimization_level": 2, "digest": "ab"}
    assert task["profile"]["placement"] == {
        "device": "line-27",
        "digest": "ab",
        "optimization_level": 2,
        "layout": [3, 4],
        "final_layout": [4, 3],
        "depth": 7,
        "two_qubit_gates": 2,
    }


async def test_stage_of_a_task_without_a_device(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.tasks[TASK_ID] = STORED
    response = await client.get(f"/tasks/{TASK_ID}/circuit?stage=transpiled")
    assert (response.status_code, response.json()["code"]) in ((422, "invalid_request"), (404, "task_not_found"))
    wrong = await client.get(f"/tasks/{TASK_ID}/circuit?stage=routed")
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (422, "stage")

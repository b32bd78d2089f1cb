"""Exact and estimated expectation values through the whole service: HTTP, the database, the client and the page."""

import asyncio
import json
import math
from typing import Any

from ketline.client import Client
from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
TILTED = HEAD + "input float a; qubit[2] q; bit c; rx(a) q[0]; c = measure q[0]; if (c) { x q[1]; }"
READOUT = {"name": "readout", "p01": 0.1, "p10": 0.2}
SUMS = [{"ZI": 1.0}, {"IZ": 0.5, "ZI": -0.5, "II": 2.0}]


async def ended(api: Api, **body: Any) -> dict[str, Any]:
    response = await api.http.post("/tasks", json={"qc": TILTED, "observables": SUMS} | body)
    assert response.status_code == 202, response.text
    task: dict[str, Any] = await api.ended(response.json()["task_id"])
    assert task["status"] == "completed", task
    return task


async def gives_values(api: Api) -> None:
    exact = await ended(api, inputs={"a": 0.6})
    assert "standard_errors" not in exact["result"]
    assert math.dist(exact["result"]["expectation_values"], [math.cos(0.6), 2.0]) < 1e-9
    sampled = await ended(api, inputs={"a": 0.6}, shots=5000, seed=3)
    value, error = sampled["result"]["expectation_values"][0], sampled["result"]["standard_errors"][0]
    assert 0 < abs(value - math.cos(0.6)) < 6 * error
    assert math.isclose(error, math.sin(0.6) / math.sqrt(5000), rel_tol=0.1)
    # The two qubits are equal, and so are all shots of their difference.
    assert (sampled["result"]["expectation_values"][1], sampled["result"]["standard_errors"][1]) == (2.0, 0.0)
    again = await api.http.post(f"/tasks/{sampled['task_id']}/rerun", json={"seed": "same"})
    assert (await api.ended(again.json()["task_id"]))["result"] == sampled["result"]
    noisy = await ended(api, inputs={"a": [0.0, 0.6]}, precision=0.02, noise=READOUT, seed=1)
    assert (noisy["sampled"], noisy["precision"], noisy["shots"]) == (True, 0.02, 2500)
    errors = noisy["result"]["standard_errors"]
    assert all(0 < error <= 0.0201 for point in errors for error in point)
    # At 0 the first bit is misread with 0.1, which flips the other qubit, and that is misread in turn.
    expected = 0.7 * (0.9 - 0.1) + 0.1
    assert abs(noisy["result"]["expectation_values"][0][0] - expected) < 6 * errors[0][0]


async def mitigates_errors(api: Api) -> None:
    noise = [{"name": "depolarizing", "one_qubit": 0.02}, READOUT]
    mitigation = {"zne": {"scale_factors": [1, 3, 5], "extrapolation": "exponential", "folding": "local"}}
    plain, extrapolated = [
        await ended(api, inputs={"a": 0.6}, noise=noise, observables=[{"IZ": 1.0}], **more)
        for more in ({}, {"mitigation": mitigation})
    ]
    # One gate: each factor takes a step of the same exponential.
    assert math.isclose(plain["result"]["expectation_values"][0], 0.98 * math.cos(0.6))
    assert math.isclose(extrapolated["result"]["expectation_values"][0], math.cos(0.6), rel_tol=1e-6)
    assert extrapolated["result"]["mitigation"]["zne"]["scale_factors"] == [1.0, 3.0, 5.0]
    assert extrapolated["mitigation"] == {**mitigation, "readout": False}
    both = await ended(
        api,
        inputs={"a": 0.6},
        noise=noise,
        observables=[{"IZ": 1.0}],
        shots=20_000,
        seed=2,
        mitigation={**mitigation, "readout": True},
    )
    value, error = both["result"]["expectation_values"][0], both["result"]["standard_errors"][0]
    assert abs(value - math.cos(0.6)) < 6 * error
    assert error < 0.05
    again = await api.http.post(f"/tasks/{both['task_id']}/rerun", json={"seed": "same"})
    assert (await api.ended(again.json()["task_id"]))["result"] == both["result"]


async def test_distributed_service_estimates_values(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker()
    async with distributed.api() as api:
        await gives_values(api)
        await mitigates_errors(api)


async def test_embedded_service_estimates_values(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await gives_values(api)
        await mitigates_errors(api)
        body = {"qc": TILTED, "observables": SUMS, "inputs": {"a": 0.6}, "precision": 0.02}
        valid = (await api.http.post("/validate", json=body)).json()
        assert (valid["valid"], valid["method"]) == (True, "statevector")
        task = await ended(api, inputs={"a": 0.6}, shots=100)
        page = (await api.http.get(f"/ui/tasks/{task['task_id']}")).text
        assert "Estimates ± standard errors" in page

        def by_client() -> Any:
            with Client(str(api.http.base_url)) as client:
                return client.run(TILTED, observables=SUMS, inputs={"a": 0.6}, precision=0.05, seed=4)

        result = await asyncio.to_thread(by_client)
        assert len(result.standard_errors) == len(result.expectation_values) == 2
        assert json.dumps(result.data["standard_errors"]) == json.dumps(list(result.standard_errors))

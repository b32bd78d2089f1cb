"""Gradients in real processes, in both modes, through HTTP; also of a batch and of a task that is run again."""

import math
from typing import Any

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api

PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
input float turn;
input array[float, 2] more;
qubit[3] q;
ry(2 * turn) q[0];
ctrl @ rx(more[0] * turn) q[0], q[1];
for int i in [0:1] { rz(more[i]) q[i]; rx(more[1]) q[i]; }
cx q[0], q[2];
"""
OBSERVABLES = [{"IIZ": 1.0}, {"ZXI": 0.5, "IYY": -1.0}]


def inputs(turn: float, first: float) -> dict[str, Any]:
    return {"turn": turn, "more": {"array": [first, 0.4]}}


async def result(api: Api, **fields: Any) -> Any:
    task = await api.ended(await api.submit(PROGRAM, observables=OBSERVABLES, **fields))
    assert task["status"] == "completed", task
    return task["result"]


async def gives_gradients(api: Api) -> None:
    found = await result(api, inputs=inputs(0.3, 0.7), gradient=True)
    step = 1e-4
    for name, (turn, first) in {"turn": (1, 0), "more": (0, 1)}.items():
        ends = [
            await result(api, inputs=inputs(0.3 + sign * step * turn, 0.7 + sign * step * first)) for sign in (1, -1)
        ]
        for number, gradient in enumerate(found["gradients"]):
            plus, minus = (end["expectation_values"][number] for end in ends)
            derivative = gradient[name] if name == "turn" else gradient[name][0]
            assert derivative == pytest.approx((plus - minus) / (2 * step), abs=1e-6)
    swept = {"turn": [0.3, 1.1], "more": {"array": [0.7, 0.4]}}
    shifted = await result(api, inputs=swept, gradient={"inputs": ["turn"], "method": "parameter_shift"})
    assert [one["turn"] for one in shifted["gradients"][0]] == pytest.approx(
        [one["turn"] for one in found["gradients"]], abs=1e-10
    )
    wrong = await api.ended(
        await api.submit(
            "OPENQASM 3.0; input float t; qubit q; if (t > 0) { U(t, 0, 0) q; }",
            inputs={"t": 0.1},
            observables=[{"Z": 1}],
            gradient=True,
        )
    )
    assert (wrong["status"], wrong["error"]["code"]) == ("failed", "gradient_invalid")


async def runs_again(api: Api) -> None:
    task = {"qc": PROGRAM, "inputs": inputs(0.3, 0.7), "observables": OBSERVABLES, "gradient": ["turn"]}
    stored = (await api.http.post("/tasks/batch", json={"tasks": [task]})).json()["tasks"][0]["task_id"]
    first = await api.ended(stored)
    assert first["gradient"] == {"inputs": ["turn"], "method": "automatic"}
    again = (await api.http.post(f"/tasks/{stored}/rerun")).json()["task_id"]
    second = await api.ended(again)
    assert second["result"]["gradients"] == first["result"]["gradients"]
    assert math.isfinite(second["result"]["gradients"][0]["turn"])
    estimate = (await api.http.post("/validate", json=task)).json()
    assert estimate["valid"], estimate


async def test_gradients_in_the_embedded_service(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await gives_gradients(api)
        await runs_again(api)


async def test_gradients_on_the_distributed_service(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker()
    async with distributed.api() as api:
        await gives_gradients(api)

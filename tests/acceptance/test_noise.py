"""Noise through the whole service: HTTP, the database, a simulator process, the page and the command line."""

import json

from qiskit_aer.noise import NoiseModel, amplitude_damping_error, depolarizing_error

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api
from tests.acceptance.programs import BELL
from tests.noise import assert_drawn_from

FLIPS = {"name": "readout", "p01": 1.0, "p10": 1.0}
HALF = {"name": "readout", "p01": 0.25, "p10": 0.25}
DEPOLARIZING = {"name": "depolarizing", "one_qubit": 0.1, "two_qubit": 0.2}
ONE = 'OPENQASM 3.0; include "stdgates.inc"; qubit q; bit c; id q; c = measure q;'
SWEEP = 'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit q; bit c; rx(a) q; c = measure q;'


def kraus_model() -> object:
    """Of both kinds of errors, on certain qubits and on all."""
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), "cx")
    model.add_quantum_error(amplitude_damping_error(0.5), "id", [0])
    return model.to_dict(serializable=True)


async def runs_with_noise(api: Api) -> None:
    ideal, flipped, mixed, damped = [
        await api.ended(await api.submit(ONE, shots=4000, seed=3, noise=noise))
        for noise in (None, FLIPS, [DEPOLARIZING, HALF], {"model": kraus_model()})
    ]
    assert (ideal["result"]["counts"], flipped["result"]["counts"]) == ({"0": 4000}, {"1": 4000})
    assert "noise" not in ideal
    assert mixed["noise"] == [DEPOLARIZING, HALF]
    # The gate leaves 1 with 0.05, and of each a quarter is misread.
    one = 0.05 * 0.75 + 0.95 * 0.25
    assert_drawn_from(mixed["result"]["counts"], {"0": 1 - one, "1": one})
    assert (mixed["profile"]["method"], mixed["profile"]["engine"]) == ("stim", "stim")
    assert (damped["result"]["counts"], damped["profile"]["method"]) == ({"0": 4000}, "density_matrix")
    again = await api.http.post(f"/tasks/{mixed['task_id']}/rerun", json={"seed": "same"})
    assert (await api.ended(again.json()["task_id"]))["result"] == mixed["result"]
    sweep = await api.ended(await api.submit(SWEEP, shots=100, noise=FLIPS, inputs={"a": [0.0, 3.141592653589793]}))
    assert sweep["result"]["counts"] == [{"1": 100}, {"0": 100}]


async def rejects_what_is_not_physical(api: Api) -> None:
    lost = [[[[0.5, 0], [0, 0]], [[0, 0], [0.5, 0]]]]
    error = {
        "type": "qerror",
        "operations": ["id"],
        "instructions": [[{"name": "kraus", "qubits": [0], "params": lost}]],
        "probabilities": [1.0],
    }
    failed = await api.ended(await api.submit(ONE, noise={"model": {"errors": [error]}}))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "noise_invalid")
    assert "error 0 of the noise model" in failed["error"]["message"]


async def test_embedded_service_runs_tasks_with_noise(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await runs_with_noise(api)
        await rejects_what_is_not_physical(api)
        body = {"qc": BELL, "shots": 1000, "noise": DEPOLARIZING}
        valid = (await api.http.post("/validate", json=body)).json()
        assert (valid["valid"], valid["method"]) == (True, "stim")
        assert valid["estimated_seconds"] > 0
        task = await api.submit(BELL, noise=[DEPOLARIZING, {"model": kraus_model()}])
        await api.ended(task)
        page = (await api.http.get(f"/ui/tasks/{task}")).text
        assert "depolarizing (one_qubit 0.1, two_qubit 0.2), a model of 2 errors" in page


async def test_distributed_service_runs_tasks_with_noise(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker()
    async with distributed.api() as api:
        await runs_with_noise(api)
        await rejects_what_is_not_physical(api)


async def test_a_model_of_many_qubits_is_sent_once_and_kept(embedded: Embedded) -> None:
    model = NoiseModel()
    for qubit in range(127):
        for name in ("sx", "x", "id", "h"):
            model.add_quantum_error(amplitude_damping_error(0.01 + qubit / 1000), name, [qubit])
        model.add_quantum_error(depolarizing_error(0.01, 2), "cx", [qubit, (qubit + 1) % 127])
    noise = {"model": model.to_dict(serializable=True)}
    assert len(json.dumps(noise)) > 200_000
    await embedded.up()
    async with embedded.api() as api:
        tasks = [await api.ended(await api.submit(BELL, shots=100, seed=1, noise=noise)) for _ in range(2)]
        assert [task["status"] for task in tasks] == ["completed"] * 2
        assert tasks[0]["result"] == tasks[1]["result"]
        # It takes more than what a task shows.
        assert "noise" not in tasks[0]

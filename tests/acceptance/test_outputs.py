"""Outputs of the state in real processes, in both modes: through HTTP, and as NumPy reads them."""

import io
from typing import Any

import numpy as np

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api

PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
input float turn;
qubit[3] q;
bit[3] c;
gphase(0.5);
h q[0];
ry(turn) q[1];
cx q[0], q[2];
c = measure q;
"""
# 2^17 amplitudes, more than what is sent with a task at once.
PLACED = """OPENQASM 3.0;
include "stdgates.inc";
input float turn;
qubit[2] q;
bit c;
ry(turn) q[0];
#pragma ketline save turned
c = measure q[0];
if (c) { x q[1]; }
"""
VALUES = {"type": "expectation_values", "observables": [{"ZZ": 1.0}, {"IX": 2.0}], "variance": True}
OUTPUTS = [{"type": "statevector", "at": "turned"}, VALUES, {**VALUES, "at": "turned", "name": "before"}]
WIDE = 'OPENQASM 3.0; include "stdgates.inc"; qubit[17] q; h q;'


def state(angle: float) -> Any:
    """The state by its definition: qubits 0 and 2 are a Bell pair, qubit 1 is turned."""
    found = np.zeros(8, dtype=complex)
    for pair in (0b000, 0b101):
        found[pair] = np.cos(angle / 2)
        found[pair | 0b010] = np.sin(angle / 2)
    return np.exp(0.5j) * found / np.sqrt(2)


async def array(api: Api, address: str) -> Any:
    response = await api.http.get(address, headers={"Accept": "application/x-npy"})
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content), allow_pickle=False)


async def gives_outputs(api: Api) -> None:
    outputs = ["counts", "statevector", {"type": "entropy", "qubits": [0]}]
    task_id = await api.submit(PROGRAM, inputs={"turn": [0.3, 1.1]}, outputs=outputs, shots=50, seed=4)
    task = await api.ended(task_id)
    assert task["status"] == "completed", task
    assert [sum(counts.values()) for counts in task["result"]["counts"]] == [50, 50]
    found = await array(api, f"/tasks/{task_id}/outputs/statevector")
    assert np.abs(found - np.array([state(0.3), state(1.1)])).max() < 1e-10
    assert abs(task["result"]["outputs"][1]["entropy"]["values"] - 1) < 1e-10
    large = await api.submit(WIDE, outputs=["statevector"])
    assert (await api.ended(large))["status"] == "completed"
    assert np.abs(await array(api, f"/tasks/{large}/outputs/statevector") - 2**-8.5).max() < 1e-10
    whole = (await api.http.get(f"/tasks/{large}")).json()["result"]["outputs"]["statevector"]
    assert len(whole["values"]) == 1 << 17
    wrong = await api.ended(await api.submit("OPENQASM 3.0; qubit q; U(1, 0, 0) q; reset q;", outputs=["statevector"]))
    assert (wrong["status"], wrong["error"]["code"]) == ("failed", "outputs_invalid")


async def gives_outputs_at_places(api: Api) -> None:
    """Of a sweep, a batch, a validation and a rerun; after the measurement the average over both outcomes."""
    angle = 0.8
    one, cosine = np.sin(angle / 2) ** 2, np.cos(angle)
    averaged = [[1, 0], [0, 4]]  # the qubits are equal, and nothing is left of X
    turned = [[cosine, 1 - cosine**2], [2 * np.sin(angle), 4 * (1 - np.sin(angle) ** 2)]]
    body = {"qc": PLACED, "outputs": OUTPUTS, "inputs": {"turn": angle}}
    response = await api.http.post("/tasks/batch", json={"tasks": [body, {**body, "inputs": {"turn": [0.1, angle]}}]})
    assert response.status_code == 202, response.text
    alone, sweep = [await api.ended(one["task_id"]) for one in response.json()["tasks"]]
    for outputs in (alone["result"]["outputs"], sweep["result"]["outputs"][1]):
        assert np.abs(np.array(outputs["expectation_values"]["values"]) - averaged).max() < 1e-10
        assert np.abs(np.array(outputs["before"]["values"]) - turned).max() < 1e-10
        state = np.array(outputs["statevector"]["values"]) @ [1, 1j]
        assert np.abs(state - [np.sqrt(1 - one), np.sqrt(one), 0, 0]).max() < 1e-10
    assert alone["outputs"] == sweep["outputs"]
    found = await array(api, f"/tasks/{sweep['task_id']}/outputs/before")
    assert found.shape == (2, 2, 2)
    again = await api.http.post(f"/tasks/{alone['task_id']}/rerun", json={"seed": "same"})
    assert (await api.ended(again.json()["task_id"]))["result"] == alone["result"]
    valid = (await api.http.post("/validate", json=body)).json()
    assert (valid["valid"], valid["method"]) == (True, "density_matrix"), valid
    missing = (await api.http.post("/validate", json={**body, "outputs": [{"type": "entropy", "at": "x"}]})).json()
    assert (missing["valid"], missing["diagnostics"][0]["code"]) == (False, "outputs_invalid"), missing


async def test_outputs_in_the_embedded_service(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await gives_outputs(api)
        await gives_outputs_at_places(api)


async def test_outputs_on_the_distributed_service(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker()
    async with distributed.api() as api:
        await gives_outputs(api)
        await gives_outputs_at_places(api)

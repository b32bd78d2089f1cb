"""Tasks on devices through the whole service: HTTP, the database, simulator processes, the page, the command line."""

import asyncio
from typing import Any

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api
from tests.acceptance.programs import BELL

ONE = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; x q[0]; swap q[0], q[1]; c = measure q;'
SWEEP = 'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit q; bit c; rx(a) q; c = measure q;'
WIDE = "OPENQASM 3.0; qubit[3] q; bit[3] c; c = measure q;"
IDEAL: dict[str, Any] = {
    "qubits": [{}, {}],
    "gates": [
        *({"name": name, "qubits": [qubit]} for name in ("rz", "sx", "x") for qubit in (0, 1)),
        {"name": "cz", "qubits": [0, 1]},
    ],
}
# Every bit is misread.
FLIPPING = IDEAL | {"qubits": [{"p01": 1.0, "p10": 1.0}] * 2}


async def runs_on_devices(api: Api) -> None:
    assert (await api.http.put("/devices/pair", json=IDEAL)).status_code == 201
    ideal = await api.ended(await api.submit(ONE, shots=500, seed=3, device="pair"))
    assert ideal["result"]["counts"] == {"10": 500}, ideal
    assert (await api.http.put("/devices/pair", json=FLIPPING)).status_code == 200
    flipped = await api.ended(await api.submit(ONE, shots=500, seed=3, device="pair"))
    assert flipped["result"]["counts"] == {"01": 500}
    assert flipped["device"]["digest"] != ideal["device"]["digest"]
    assert (await api.http.delete("/devices/pair")).status_code == 204
    # A task keeps what its device was.
    for original in (ideal, flipped):
        again = await api.http.post(f"/tasks/{original['task_id']}/rerun", json={"seed": "same"})
        ended = await api.ended(again.json()["task_id"])
        assert (ended["result"], ended["device"]) == (original["result"], original["device"])
    gone = await api.http.post("/tasks", json={"qc": ONE, "device": "pair"})
    assert (gone.status_code, gone.json()["code"]) == (422, "device_unknown")


async def shows_what_ran(api: Api) -> None:
    device = {"name": "heavy-hex-57", "optimization_level": 3, "initial_layout": [12, 13]}
    task = await api.ended(await api.submit(BELL, shots=4000, seed=1, device=device))
    placement = task["profile"]["placement"]
    assert placement["layout"] == [12, 13]
    assert placement["two_qubit_gates"] == 1
    assert {"00", "11"} < set(task["result"]["counts"]), "errors of the device show"
    circuit = await api.http.get(f"/tasks/{task['task_id']}/circuit?stage=transpiled")
    assert circuit.status_code == 200
    assert "q12" in circuit.text
    assert "cz" in circuit.text
    drawn = await api.http.get(f"/tasks/{task['task_id']}/circuit?stage=transpiled&format=svg")
    assert drawn.headers["content-type"] == "image/svg+xml"
    source = await api.http.get(f"/tasks/{task['task_id']}/circuit")
    assert source.text == BELL
    plain = await api.ended(await api.submit(BELL))
    none = await api.http.get(f"/tasks/{plain['task_id']}/circuit?stage=transpiled")
    assert (none.status_code, none.json()["errors"][0]["parameter"]) == (422, "stage")
    sweep = await api.ended(
        await api.submit(
            SWEEP,
            shots=100,
            device={"name": "grid-25", "noise": False},
            inputs={"a": [0.0, 3.141592653589793]},
        )
    )
    assert sweep["result"]["counts"] == [{"0": 100}, {"1": 100}]


async def rejects_what_does_not_fit(api: Api) -> None:
    await api.http.put("/devices/pair", json=IDEAL)
    wide = await api.ended(await api.submit(WIDE, device="pair"))
    assert (wide["status"], wide["error"]["code"]) == ("failed", "device_mismatch")
    assert "has 3 qubits, and the device 2" in wide["error"]["message"]
    valid = (await api.http.post("/validate", json={"qc": WIDE, "device": "pair"})).json()
    assert (valid["valid"], valid["diagnostics"][0]["code"]) == (False, "device_mismatch")
    fits = (await api.http.post("/validate", json={"qc": BELL, "device": "line-27"})).json()
    assert (fits["valid"], fits["method"]) == (True, "density_matrix")
    assert fits["placement"]["device"] == "line-27"
    assert fits["estimated_seconds"] > 0
    assert set(fits["operations"]) <= {"rz", "sx", "x", "cz", "id", "measure"}


async def test_embedded_service_runs_on_devices(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await runs_on_devices(api)
        await shows_what_ran(api)
        await rejects_what_does_not_fit(api)
        form = await api.http.post("/ui/submit", data={"qc": BELL, "shots": "100", "device": "line-27"})
        assert form.status_code == 303
        task = form.headers["location"].rsplit("/", 1)[-1]
        await api.ended(task)
        page = (await api.http.get(f"/ui/tasks/{task}")).text
        assert "<dt>Device</dt><dd>line-27</dd>" in page
        assert "stage=transpiled" in page
        unknown = await api.http.post("/ui/submit", data={"qc": BELL, "shots": "100", "device": "other"})
        assert unknown.status_code == 422
        assert "not a device of this project" in unknown.text


async def test_distributed_service_runs_on_devices(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker()
    async with distributed.api() as api:
        await runs_on_devices(api)
        await shows_what_ran(api)
        await rejects_what_does_not_fit(api)


async def test_many_tasks_of_one_device_build_it_once(embedded: Embedded) -> None:
    """After the first task, transpiling a Bell circuit for 57 qubits takes milliseconds."""
    await embedded.up()
    async with embedded.api() as api:
        ids = [await api.submit(BELL, shots=10, seed=seed, device="heavy-hex-57") for seed in range(40)]
        tasks = await asyncio.gather(*map(api.ended, ids))
        assert {task["status"] for task in tasks} == {"completed"}
        seconds = sorted(task["profile"]["parsing_seconds"] for task in tasks)
        assert seconds[len(seconds) // 2] < 0.1

"""Conversions in real processes, in both modes: beside simulations, by themselves, and after a kill."""

from typing import Any

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, eventually
from tests.acceptance.programs import BELL

LOOP = """OPENQASM 3.0;
include "stdgates.inc";
gate pair a, b { h a; cx a, b; }
qubit[2] q;
bit[2] c;
for int i in [0:1] { pair q[0], q[1]; }
c = measure q;
"""
FLAT = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
h q[0];
cx q[0], q[1];
c[0] = measure q[0];
c[1] = measure q[1];
"""
# More than a worker converts while a simulation ends.
FLOOD = 200


async def converts(api: Api) -> None:
    task = await api.ended(await api.submit(LOOP, kind="convert", target="openqasm3"))
    assert (task["status"], task["kind"], task["result"]["output"]) == ("completed", "convert", FLAT)
    output = await api.http.get(f"/tasks/{task['task_id']}/output")
    assert (output.text, output.headers["content-type"]) == (FLAT, "text/plain; charset=utf-8")
    assert "counts" not in task["result"]
    counts = await api.http.get(f"/tasks/{task['task_id']}/counts")
    assert (counts.status_code, counts.json()["code"]) == (409, "no_counts")
    assert task["task_id"] in {one["task_id"] for one in await listed(api, "convert")}
    wrong = await api.ended(await api.submit("OPENQASM 3.0; foo q;", kind="convert", target="qpy"))
    assert (wrong["status"], wrong["error"]["code"], wrong["error"]["line"]) == ("failed", "parse_error", 1)


async def listed(api: Api, kind: str) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = (await api.http.get("/tasks", params={"kind": kind})).json()["tasks"]
    return tasks


async def test_conversion_in_the_embedded_service(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await converts(api)
        simulation = await api.ended(await api.submit(BELL))
        assert "kind" not in simulation
        output = await api.http.get(f"/tasks/{simulation['task_id']}/output")
        assert (output.status_code, output.json()["code"]) == (409, "no_output")


async def test_flood_of_conversions_delays_no_simulation(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await api.ended(await api.submit(BELL))
        body = {"tasks": [{"qc": LOOP, "kind": "convert", "target": "openqasm3"}] * FLOOD}
        assert (await api.http.post("/tasks/batch", json=body)).status_code == 202
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        waiting = await api.http.get("/tasks", params={"kind": "convert", "status": "pending", "limit": 200})
        assert len(waiting.json()["tasks"]) > FLOOD // 2, "it overtook most conversions"


async def test_workers_take_the_kinds_that_they_are_started_for(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker("simulates", KETLINE_WORKER_KINDS="simulate")
    async with distributed.api() as api:
        waiting = await api.submit(LOOP, kind="convert", target="openqasm3")
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        assert (await api.task(waiting))["status"] == "pending"
        await distributed.start_worker("converts", KETLINE_WORKER_KINDS="convert")
        assert (await api.ended(waiting))["status_history"][-1]["worker_id"] == "converts"
        await converts(api)
        workers = {one["worker_id"]: one for one in (await api.http.get("/workers")).json()["workers"]}
        assert {name: one["queues"] for name, one in workers.items()} == {
            "simulates": ["simulate"],
            "converts": ["convert"],
        }
        assert (workers["converts"]["slots"], workers["converts"]["conversion_slots"]) == (0, 1)


async def test_conversion_outlives_its_worker(distributed: Distributed) -> None:
    await distributed.start_api()
    async with distributed.api() as api:
        conversion = await api.submit(LOOP, kind="convert", target="openqasm3")
        first = await distributed.start_worker("worker-1")
        await first.kill()
        await distributed.start_worker("worker-2")
        task = await api.ended(conversion)
        assert task["result"]["output"] == FLAT
        assert sum(line["status"] == "completed" for line in task["status_history"]) == 1


FAKE = "fake=qiskit:qiskit.providers.fake_provider:GenericBackendV2;num_qubits=5"
TWO_REGISTERS = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[2] c;
bit d;
x q[1];
c = measure q[0:1];
d = measure q[2];
"""


async def registered(api: Api, backend: str) -> dict[str, Any]:
    """The backend, once a worker has registered it and consumes its queue."""
    found: dict[str, Any] = {}

    async def is_online() -> bool:
        external = (await api.http.get("/backends")).json()["external"]
        found.update({one["name"]: one for one in external}.get(backend, {}))
        return found.get("online") is True

    await eventually(is_online, f"backend {backend} online")
    return found


async def test_task_runs_on_a_fake_device_of_qiskit(embedded: Embedded) -> None:
    await embedded.up(KETLINE_BACKENDS=FAKE)
    async with embedded.api() as api:
        device = await registered(api, "fake")
        assert (device["queue"], device["num_qubits"], device["noisy"]) == ("run.fake", 5, True)
        task = await api.ended(await api.submit(TWO_REGISTERS, kind="run", backend="fake", shots=400))
        assert (task["status"], task["remote_job"]["status"]) == ("completed", "done")
        counts = task["result"]["counts"]
        assert sum(counts.values()) == 400
        assert counts["0 10"] > 360, "the device is noisy, and no more than that"
        rejected = await api.ended(await api.submit("qubit[6] q; bit[6] c; c = measure q;", kind="run", backend="fake"))
        assert rejected["error"]["code"] == "backend_refused"
        unknown = await api.http.post("/tasks", json={"qc": BELL, "kind": "run", "backend": "other"})
        assert (unknown.status_code, unknown.json()["code"]) == (422, "backend_unknown")


async def test_job_on_another_service_outlives_the_worker_that_submitted_it(
    embedded: Embedded, distributed: Distributed
) -> None:
    # The other service takes no simulations yet, so that the job waits there.
    other = await embedded.up(KETLINE_WORKER_KINDS="convert")
    backends = f"other=ketline:http://127.0.0.1:{embedded.port}"
    await distributed.start_api()
    first = await distributed.start_worker("first", KETLINE_BACKENDS=backends)
    async with distributed.api() as api, embedded.api() as remote:
        await registered(api, "other")
        task_id = await api.submit(BELL, kind="run", backend="other", shots=100)

        async def submitted() -> bool:
            return bool((await api.task(task_id)).get("remote_job", {}).get("id"))

        await eventually(submitted, "a job on the backend")
        await first.kill()
        await distributed.start_worker("second", KETLINE_BACKENDS=backends)
        await other.kill()
        await embedded.up()
        task = await api.ended(task_id)
        assert (task["status"], task["status_history"][-1]["worker_id"]) == ("completed", "second")
        assert sum(task["result"]["counts"].values()) == 100
        jobs = (await remote.http.get("/tasks")).json()["tasks"]
        assert [job["task_id"] for job in jobs] == [task["remote_job"]["id"]], "it was submitted once"


async def test_client_of_an_older_service_is_told_of_the_job_or_waits_for_its_counts(
    embedded: Embedded, distributed: Distributed
) -> None:
    other = await embedded.up(KETLINE_WORKER_KINDS="convert")
    await distributed.start_api()
    await distributed.start_worker(KETLINE_BACKENDS=f"other=ketline:http://127.0.0.1:{embedded.port}")
    async with distributed.api() as api:
        await registered(api, "other")
        payload = {"circuit_type": "qasm", "circuit_data": BELL, "shots": 100, "backend_name": "other"}
        told, waits = [
            (
                await api.http.post(
                    "/tasks", json={"task_type": "backend_run", "payload": {**payload, "wait_for_completion": waits}}
                )
            ).json()["task_id"]
            for waits in (False, True)
        ]

        async def plain(task_id: str) -> dict[str, Any]:
            task: dict[str, Any] = (await api.http.get(f"/tasks/{task_id}?shape=plain")).json()
            return task

        async def submitted() -> bool:
            return all([(await plain(task_id)).get("remote_job", {}).get("id") for task_id in (told, waits)])

        await eventually(submitted, "a job on the backend")
        shown = await plain(told)
        job = {"status": "submitted", "job_id": shown["remote_job"]["id"]}
        assert (shown["status"], shown["result"]) == ("pending", job)
        shown = await plain(waits)
        assert (shown["status"], "result" in shown) == ("pending", False)
        await other.kill()
        await embedded.up()
        for task_id in (told, waits):
            await api.ended(task_id)
            shown = await plain(task_id)
            assert (shown["status"], sum(shown["result"].values())) == ("completed", 100)


async def test_job_at_another_service_is_cancelled_at_its_time_limit(
    embedded: Embedded, distributed: Distributed
) -> None:
    await embedded.up(KETLINE_WORKER_KINDS="convert")
    await distributed.start_api()
    await distributed.start_worker(KETLINE_BACKENDS=f"other=ketline:http://127.0.0.1:{embedded.port}")
    async with distributed.api() as api, embedded.api() as remote:
        await registered(api, "other")
        task = await api.ended(await api.submit(BELL, kind="run", backend="other", timeout_s=1))
        assert (task["status"], task["error"]["code"]) == ("failed", "timeout")
        assert task["remote_job"]["id"] in task["error"]["message"]

        async def cancelled() -> bool:
            return [job["status"] for job in (await remote.http.get("/tasks")).json()["tasks"]] == ["cancelled"]

        await eventually(cancelled, "a cancelled job")


async def test_cancelling_a_task_cancels_its_job_on_another_service(
    embedded: Embedded, distributed: Distributed
) -> None:
    await embedded.up(KETLINE_WORKER_KINDS="convert")
    await distributed.start_api()
    await distributed.start_worker(KETLINE_BACKENDS=f"other=ketline:http://127.0.0.1:{embedded.port}")
    async with distributed.api() as api, embedded.api() as remote:
        await registered(api, "other")
        task_id = await api.submit(BELL, kind="run", backend="other")

        async def submitted() -> bool:
            return bool((await api.task(task_id)).get("remote_job", {}).get("id"))

        await eventually(submitted, "a job on the backend")
        assert (await api.http.post(f"/tasks/{task_id}/cancel")).status_code == 200

        async def cancelled() -> bool:
            return [job["status"] for job in (await remote.http.get("/tasks")).json()["tasks"]] == ["cancelled"]

        await eventually(cancelled, "a cancelled job")

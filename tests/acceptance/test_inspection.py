"""Validation, drawings and the list of workers as a client of real processes sees them."""

import os
import signal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import httpx

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, KetlineProcess, any_port, eventually
from tests.acceptance.programs import BELL, ENDLESS
from tests.acceptance.test_embedded import alive

# The modifier keeps it from the scanner, which would be done in time.
SLOW = "qubit q; bit c; inv @ U(0, 0, 0) q;" + "U(0, 0, 0) q;" * 30_000 + "c = measure q;"


def imports_qiskit(process: KetlineProcess) -> bool:
    """Whether a process has done so, which must not be a forked one."""
    return "/qiskit/" in Path(f"/proc/{process.pid}/maps").read_text()


async def listed(api: Api) -> list[dict[str, Any]]:
    response = await api.http.get("/workers")
    assert response.status_code == 200, response.text
    workers: list[dict[str, Any]] = response.json()["workers"]
    return workers


async def test_validation_says_what_a_run_then_does(embedded: Embedded) -> None:
    embedded.fleet.fork_server = None
    process = await embedded.up()
    async with embedded.api() as api:
        validation = (await api.http.post("/validate", json={"qc": BELL, "shots": 100})).json()
        task = await api.ended(await api.submit(BELL, shots=100))
        assert (validation["valid"], validation["diagnostics"]) == (True, [])
        for name in ("method", "method_reason", "tier", "qubits", "depth", "operations"):
            assert validation[name] == task["profile"][name]
        assert validation["estimated_seconds"] > 0
        wrong = (await api.http.post("/validate", json={"qc": "qubit q;\n  nogate q;"})).json()
        assert wrong["valid"] is False
        assert wrong["diagnostics"][0] | {"message": ""} == {
            "severity": "error",
            "code": "parse_error",
            "message": "",
            "line": 2,
            "column": 3,
        }
    assert not imports_qiskit(process)


async def test_validation_is_bounded_and_its_process_replaced(embedded: Embedded) -> None:
    await embedded.up(KETLINE_VALIDATE_TIME_LIMIT_S="1")
    async with embedded.api() as api:
        assert (await api.http.post("/validate", json={"qc": BELL})).json()["valid"] is True
        slow = await api.http.post("/validate", json={"qc": SLOW})
        assert slow.status_code == 200
        assert slow.json()["valid"] is False
        assert slow.json()["diagnostics"][0]["code"] == "timeout"
        assert (await api.http.post("/validate", json={"qc": BELL})).json()["valid"] is True


async def test_circuit_is_shown_in_every_form(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        task_id = await api.submit(BELL)
        shown = {
            form: await api.http.get(f"/tasks/{task_id}/circuit", params={"format": form})
            for form in ("source", "text", "svg", "flat")
        }
        assert {response.status_code for response in shown.values()} == {200}
        assert shown["source"].text == BELL
        assert "┤ H ├" in shown["text"].text
        assert fromstring(shown["svg"].text).tag.endswith("svg")
        again = await api.ended(await api.submit(shown["flat"].text, seed=5))
        assert again["result"] == (await api.ended(await api.submit(BELL, seed=5)))["result"]
        known = {"If-None-Match": shown["svg"].headers["etag"]}
        response = await api.http.get(f"/tasks/{task_id}/circuit", params={"format": "svg"}, headers=known)
        assert (response.status_code, response.content) == (304, b"")


async def test_stop_leaves_no_inspector_behind(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1")
    before = set(await eventually(process.simulators, "a simulator"))
    async with embedded.api() as api:
        await api.http.post("/validate", json={"qc": BELL})
    children = set(process.children())
    assert len(children - before) == 1
    assert await process.stop(signal.SIGTERM) == 0
    assert not alive(list(children))


async def test_embedded_worker_is_listed_with_its_task(embedded: Embedded) -> None:
    await embedded.up(WORKER_ID="solo", KETLINE_WORKER_SLOTS="2")
    async with embedded.api() as api:
        task_id = await api.submit(ENDLESS)
        await api.reached(task_id, "processing")
        (worker,) = await listed(api)
        assert (worker["worker_id"], worker["slots"]) == ("solo", 2)
        (task,) = worker["tasks"]
        assert (task["task_id"], task["attempt"]) == (task_id, 1)
        assert task["lease_seconds_left"] > 0
        await api.http.post(f"/tasks/{task_id}/cancel")
        (worker,) = await listed(api)
        assert worker["tasks"] == []


async def test_worker_answers_for_itself(distributed: Distributed) -> None:
    port = any_port()
    worker = await distributed.start_worker(KETLINE_WORKER_PORT=str(port))
    await worker.logged("worker.listening", url=f"http://127.0.0.1:{port}")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def ready() -> bool:
            response = await client.get("/readyz")
            return bool(response.json() == {"status": "ready", "missing": [], "stopping": False})

        await eventually(ready, "the worker is ready")
        assert (await client.get("/livez")).json() == {"status": "alive"}
        assert (await client.get("/tasks")).status_code == 404
    assert await worker.stop() == 0


async def test_worker_without_its_broker_is_not_ready(distributed: Distributed) -> None:
    port = any_port()
    worker = await distributed.start_worker(
        KETLINE_WORKER_PORT=str(port), KETLINE_QUEUE_URL=f"amqp://guest:guest@127.0.0.1:{any_port()}/"
    )
    await worker.logged("worker.listening")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["missing"]) == (503, ["queue"])
        assert (await client.get("/livez")).status_code == 200


async def test_workers_come_and_go(distributed: Distributed) -> None:
    distributed.fleet.fork_server = None
    beat: dict[str, Any] = {"KETLINE_WORKER_BEAT_S": "0.3"}
    process = await distributed.start_api()
    stopped = await distributed.start_worker("stopped", slots=2, **beat)
    killed = await distributed.start_worker("killed", **beat)
    async with distributed.api() as api:

        async def ids(*expected: str) -> bool:
            return [worker["worker_id"] for worker in await listed(api)] == list(expected)

        await eventually(lambda: ids("killed", "stopped"), "both workers")
        assert await stopped.stop() == 0
        assert await ids("killed"), "it says good-bye"
        os.kill(killed.pid, signal.SIGKILL)
        await eventually(lambda: ids(), "no worker", seconds=10)
        assert (await api.http.post("/validate", json={"qc": BELL})).json()["valid"] is True
    assert not imports_qiskit(process)

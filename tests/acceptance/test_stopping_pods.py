"""Workers with the settings of the Helm chart, stopped as a cluster stops a pod: SIGTERM, the grace period, SIGKILL."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Any

import httpx

from deploy.release.chart import CHART
from tests.acceptance.conftest import Distributed
from tests.acceptance.processes import Api, KetlineProcess, any_port, eventually
from tests.acceptance.programs import BELL, long_program
from tests.kubernetes.helm import Helm, environment_of, pod_templates
from tests.signals import send_signal

VALUES = CHART / "ci" / "default-values.yaml"


def _pod(helm: Helm, *settings: str) -> Mapping[str, Any]:
    return pod_templates(helm.render(VALUES, settings=settings))["ketline-worker-default"]


async def _start(service: Distributed, pod: Mapping[str, Any], port: int) -> KetlineProcess:
    environment: dict[str, Any] = {**environment_of(pod), "KETLINE_WORKER_PORT": str(port)}
    del environment["KETLINE_SECRETS_DIR"]  # the addresses of the test's servers are variables
    return await service.start_worker("pod", **environment)


async def _stopped(process: KetlineProcess, pod: Mapping[str, Any]) -> int:
    """The exit status of a process that is told to stop, and killed when the pod's grace period is over."""
    send_signal(process.process, signal.SIGTERM)
    try:
        return await asyncio.wait_for(process.process.wait(), pod["terminationGracePeriodSeconds"])
    except TimeoutError:
        await process.kill()
        raise


def _claims(task: Mapping[str, Any]) -> list[str]:
    return [entry["worker_id"] for entry in task["status_history"] if entry["status"] == "processing"]


async def _tasks(api: Api) -> list[str]:
    """A program that runs for seconds, of which the worker has one slot, and short ones that wait behind it."""
    running = await api.submit(long_program())
    await api.reached(running, "processing")
    return [running, *[await api.submit(BELL) for _ in range(5)]]


async def test_pod_that_is_scaled_down_finishes_its_program(distributed: Distributed, helm: Helm) -> None:
    await distributed.start_api()
    pod, port = _pod(helm), any_port()
    worker = await _start(distributed, pod, port)
    # Each probe of a cluster has its own connection; one that was idle may be closed while a request is under way.
    probing = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"Connection": "close"})
    async with distributed.api() as api, probing as probes:
        assert (await probes.get("/readyz")).status_code == 200
        running, *waiting = await _tasks(api)
        stopping = asyncio.create_task(_stopped(worker, pod))

        async def not_ready() -> bool:
            return (await probes.get("/readyz")).json()["stopping"] is True

        await eventually(not_ready, "a worker that is not ready any more")
        assert await stopping == 0
        task = await api.task(running)
        assert (task["status"], _claims(task)) == ("completed", ["pod"])
        await distributed.start_worker("heir")
        others = [await api.ended(task_id) for task_id in waiting]
    assert [(task["status"], _claims(task)) for task in others] == [("completed", ["heir"])] * len(waiting)


async def test_program_that_outlasts_the_grace_goes_to_another_pod(distributed: Distributed, helm: Helm) -> None:
    await distributed.start_api()
    pod = _pod(helm, "worker.shutdownGraceSeconds=1")
    worker = await _start(distributed, pod, any_port())
    async with distributed.api() as api:
        running, *waiting = await _tasks(api)
        assert await _stopped(worker, pod) == 0
        task = await api.task(running)
        assert (task["status"], task["status_history"][-1]["cause"]) == ("pending", "worker_stopped")
        await distributed.start_worker("heir")
        tasks = [await api.ended(task_id) for task_id in (running, *waiting)]
    assert {task["status"] for task in tasks} == {"completed"}
    assert _claims(tasks[0]) == ["pod", "heir"]

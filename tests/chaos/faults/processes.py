"""Faults of the processes of a service: killed, frozen, stopped."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping

import httpx

from tests.chaos.faults.scene import Fault, Scene
from tests.chaos.site.procfs import processes_of
from tests.chaos.site.store import DATABASE_AWAY
from tests.chaos.site.supervisor import Role
from tests.chaos.storm.ledger import Cancellation
from tests.chaos.storm.plan import LEASE_SECONDS

BUSY_SHARE = 0.75
BUSY_SECONDS = 3.0
START_SECONDS = 20.0
POLL_SECONDS = 0.02


async def kill_worker(scene: Scene) -> str | None:
    """kill -9 one worker, more often than not one that holds a task."""
    role = await pick_worker(scene)
    return _kill(scene, role) if role else None


async def kill_every_worker(scene: Scene) -> str | None:
    """kill -9 all workers at one moment."""
    killed = [_kill(scene, role) for role in scene.site.supervisor.of_kind("worker")]
    return " ".join(filter(None, killed)) or None


async def kill_api(scene: Scene) -> str | None:
    """kill -9 one API."""
    roles = scene.site.supervisor.of_kind("api")
    return _kill(scene, scene.rng.choice(roles)) if roles else None


async def kill_simulator(scene: Scene) -> str | None:
    """kill -9 one simulator process, more often than not one that runs a program."""
    role = await pick_worker(scene)
    if role is None:
        return None
    instance = role.instance
    await _until(lambda: asyncio.to_thread(lambda: bool(simulators_of(scene, role))))
    children = simulators_of(scene, role)
    if not children:
        return None
    os.kill(victim := scene.rng.choice(children), signal.SIGKILL)
    return f"{victim} of {instance}"


async def kill_service(scene: Scene) -> str | None:
    """kill -9 the whole embedded service, in most cases after it has begun to work on a task."""
    (role,), (port,) = scene.site.supervisor.roles.values(), scene.site.ports
    if scene.rng.random() < BUSY_SHARE:
        await _until(lambda: asyncio.to_thread(_at_work, scene, role))
        await asyncio.sleep(scene.rng.uniform(0.0, 1.5))
    else:
        await _until(lambda: _listens(port))
    return _kill(scene, role)


async def kill_starting_service(scene: Scene) -> str | None:
    """kill -9 the embedded service twice, the second time somewhere in its start."""
    (role,) = scene.site.supervisor.roles.values()
    first, generation = _kill(scene, role), role.generation

    async def restarted() -> bool:
        return role.generation != generation and role.alive

    await _until(restarted)
    await asyncio.sleep(scene.rng.uniform(0.0, 1.5))
    return " ".join(filter(None, (first, _kill(scene, role)))) or None


async def freeze(scene: Scene) -> str | None:
    """SIGSTOP a worker, or the whole embedded service, for two leases, then wake it."""
    role = await pick_worker(scene)
    if role is None:
        return None
    instance, generation, role.frozen = role.instance, role.generation, True
    scene.site.supervisor.signal(role, signal.SIGSTOP)
    await asyncio.sleep(2 * LEASE_SECONDS)
    if role.generation == generation:
        scene.site.supervisor.signal(role, signal.SIGCONT)
        role.frozen = False
    return instance


async def stop_gracefully(scene: Scene) -> str | None:
    """SIGTERM a worker, or the whole embedded service."""
    role = await pick_worker(scene)
    return await _stop(scene, role) if role else None


async def stop_api(scene: Scene) -> str | None:
    """SIGTERM an API."""
    roles = scene.site.supervisor.of_kind("api")
    return await _stop(scene, scene.rng.choice(roles)) if roles else None


async def cancel_task(scene: Scene) -> str | None:
    """Cancel a task that has not ended."""
    unfinished = await scene.site.store.unfinished(100) if scene.site.features.cancellation else ()
    if not unfinished:
        return None
    task_id, port = scene.rng.choice(unfinished), scene.rng.choice(scene.site.ports)
    scene.ledger.cancel(Cancellation(task_id=task_id, status=None))
    try:
        answer = await scene.http.post(f"http://127.0.0.1:{port}/tasks/{task_id}/cancel")
    except httpx.HTTPError as error:
        return f"{task_id}: {type(error).__name__}"
    scene.ledger.cancel(Cancellation(task_id=task_id, status=answer.status_code))
    return f"{task_id}: {answer.status_code}"


COMMON_FAULTS: Mapping[str, Fault] = {
    "kill_worker": kill_worker,
    "kill_every_worker": kill_every_worker,
    "kill_simulator": kill_simulator,
    "kill_api": kill_api,
    "kill_service": kill_service,
    "kill_starting_service": kill_starting_service,
    "freeze_worker": freeze,
    "freeze_service": freeze,
    "stop_worker": stop_gracefully,
    "stop_service": stop_gracefully,
    "stop_api": stop_api,
    "cancel_task": cancel_task,
}


async def pick_worker(scene: Scene) -> Role | None:
    """One that works on a task, if one is wanted and soon found; any other else."""
    if scene.rng.random() < BUSY_SHARE:
        deadline = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < deadline:
            if busy := await _busy(scene):
                return scene.rng.choice(busy)
            await asyncio.sleep(POLL_SECONDS)
    roles = _awake(scene)
    return scene.rng.choice(roles) if roles else None


async def _busy(scene: Scene) -> list[Role]:
    try:
        owners = set(await scene.site.store.busy_workers())
    except DATABASE_AWAY:
        return []  # the database is away: any worker will do
    return [role for role in _awake(scene) if role.instance in owners]


def _awake(scene: Scene) -> list[Role]:
    return [role for role in scene.site.supervisor.of_kind("worker", "service") if not role.frozen]


def simulators_of(scene: Scene, role: Role) -> list[int]:
    """Process ids of a worker's simulators."""
    pid = role.pid
    found = processes_of(scene.site.directory).values()
    return [process.pid for process in found if process.simulator and process.parent == pid]


def _at_work(scene: Scene, role: Role) -> bool:
    """Whether the process has begun a task; its log is read, since a second reader might disturb its database."""
    log = scene.site.directory / f"{role.instance}.log"
    return role.alive and log.exists() and "task.started" in log.read_text(errors="replace")


def _kill(scene: Scene, role: Role) -> str | None:
    if not role.alive:
        return None
    scene.site.supervisor.signal(role, signal.SIGKILL)
    return role.instance


async def _stop(scene: Scene, role: Role) -> str:
    instance = role.instance
    await scene.site.supervisor.stop(role)
    return instance


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            if await condition():
                return
            await asyncio.sleep(POLL_SECONDS)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True

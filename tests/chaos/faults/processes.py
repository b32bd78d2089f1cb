"""Faults of the processes of a service: killed, frozen, stopped."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping

import httpx

from tests.chaos.faults.context import Fault, FaultContext
from tests.chaos.run.ledger import Cancellation
from tests.chaos.run.plan import LEASE_SECONDS
from tests.chaos.testbed.procfs import processes_of
from tests.chaos.testbed.store import DATABASE_DOWN
from tests.chaos.testbed.supervisor import Role

BUSY_SHARE = 0.75
BUSY_SECONDS = 3.0
# Of a simulator or a service on a busy machine.
START_SECONDS = 100.0
POLL_SECONDS = 0.02


async def kill_worker(context: FaultContext) -> str | None:
    """kill -9 one worker, more often than not one that holds a task."""
    role = await pick_worker(context)
    return _kill(context, role) if role else None


async def kill_every_worker(context: FaultContext) -> str | None:
    """kill -9 all workers at one moment."""
    killed = [_kill(context, role) for role in context.deployment.supervisor.of_kind("worker")]
    return " ".join(filter(None, killed)) or None


async def kill_api(context: FaultContext) -> str | None:
    """kill -9 one API."""
    roles = context.deployment.supervisor.of_kind("api")
    return _kill(context, context.rng.choice(roles)) if roles else None


async def kill_simulator(context: FaultContext) -> str | None:
    """kill -9 one simulator process, more often than not one that runs a program."""
    role = await pick_worker(context)
    if role is None:
        return None
    instance = role.instance
    await _until(lambda: asyncio.to_thread(lambda: bool(simulators_of(context, role))))
    children = simulators_of(context, role)
    if not children:
        return None
    os.kill(victim := context.rng.choice(children), signal.SIGKILL)
    return f"{victim} of {instance}"


async def kill_service(context: FaultContext) -> str | None:
    """kill -9 the whole embedded service, in most cases after it has begun to work on a task."""
    (role,), (port,) = context.deployment.supervisor.roles.values(), context.deployment.ports
    if context.rng.random() < BUSY_SHARE:
        await _until(lambda: asyncio.to_thread(_at_work, context, role))
        await asyncio.sleep(context.rng.uniform(0.0, 1.5))
    else:
        await _until(lambda: _listens(port))
    return _kill(context, role)


async def kill_starting_service(context: FaultContext) -> str | None:
    """kill -9 the embedded service twice, the second time somewhere in its start."""
    (role,) = context.deployment.supervisor.roles.values()
    first, generation = _kill(context, role), role.generation

    async def restarted() -> bool:
        return role.generation != generation and role.alive

    await _until(restarted)
    await asyncio.sleep(context.rng.uniform(0.0, 1.5))
    return " ".join(filter(None, (first, _kill(context, role)))) or None


async def freeze(context: FaultContext) -> str | None:
    """SIGSTOP a worker, or the whole embedded service, for two leases, then wake it."""
    role = await pick_worker(context)
    if role is None:
        return None
    instance, generation, role.frozen = role.instance, role.generation, True
    context.deployment.supervisor.signal(role, signal.SIGSTOP)
    await asyncio.sleep(2 * LEASE_SECONDS)
    if role.generation == generation:
        context.deployment.supervisor.signal(role, signal.SIGCONT)
        role.frozen = False
    return instance


async def stop_gracefully(context: FaultContext) -> str | None:
    """SIGTERM a worker, or the whole embedded service."""
    role = await pick_worker(context)
    return await _stop(context, role) if role else None


async def stop_api(context: FaultContext) -> str | None:
    """SIGTERM an API."""
    roles = context.deployment.supervisor.of_kind("api")
    return await _stop(context, context.rng.choice(roles)) if roles else None


async def cancel_task(context: FaultContext) -> str | None:
    """Cancel a task that has not ended."""
    unfinished = await context.deployment.store.unfinished(100) if context.deployment.features.cancellation else ()
    if not unfinished:
        return None
    task_id, port = context.rng.choice(unfinished), context.rng.choice(context.deployment.ports)
    context.ledger.cancel(Cancellation(task_id=task_id, status=None))
    try:
        response = await context.http.post(f"http://127.0.0.1:{port}/tasks/{task_id}/cancel")
    except httpx.HTTPError as error:
        return f"{task_id}: {type(error).__name__}"
    context.ledger.cancel(Cancellation(task_id=task_id, status=response.status_code))
    return f"{task_id}: {response.status_code}"


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


async def pick_worker(context: FaultContext) -> Role | None:
    """One that works on a task, if one is wanted and soon found; any other else."""
    if context.rng.random() < BUSY_SHARE:
        deadline = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < deadline:
            if busy := await _busy(context):
                return context.rng.choice(busy)
            await asyncio.sleep(POLL_SECONDS)
    roles = _awake(context)
    return context.rng.choice(roles) if roles else None


async def _busy(context: FaultContext) -> list[Role]:
    try:
        owners = set(await context.deployment.store.busy_workers())
    except DATABASE_DOWN:
        return []  # the database is away: any worker will do
    return [role for role in _awake(context) if role.instance in owners]


def _awake(context: FaultContext) -> list[Role]:
    return [role for role in context.deployment.supervisor.of_kind("worker", "service") if not role.frozen]


def simulators_of(context: FaultContext, role: Role) -> list[int]:
    """Process ids of a worker's simulators."""
    pid = role.pid
    found = processes_of(context.deployment.directory).values()
    return [process.pid for process in found if process.simulator and process.parent == pid]


def _at_work(context: FaultContext, role: Role) -> bool:
    """Whether the process has begun a task; its log is read, since a second reader might disturb its database."""
    log = context.deployment.directory / f"{role.instance}.log"
    return role.alive and log.exists() and "task.started" in log.read_text(errors="replace")


def _kill(context: FaultContext, role: Role) -> str | None:
    if not role.alive:
        return None
    context.deployment.supervisor.signal(role, signal.SIGKILL)
    return role.instance


async def _stop(context: FaultContext, role: Role) -> str:
    instance = role.instance
    await context.deployment.supervisor.stop(role)
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

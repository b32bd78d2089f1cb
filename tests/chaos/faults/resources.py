"""Faults of what a process needs of its machine: descriptors, memory, room for files, a reader of its log."""

import asyncio
import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.chaos.faults.context import Fault, FaultContext
from tests.chaos.faults.processes import POLL_SECONDS, simulators_of
from tests.chaos.testbed.supervisor import Role

# Enough for the process to continue, far less than a simulator imports.
SPARE_BYTES = 128 << 20
# For a simulator to have nothing to do.
IDLE_SECONDS = 5.0
# A file of SQLite's cannot grow.
FILE_BYTES = 4096


async def starve_of_descriptors(context: FaultContext) -> str | None:
    """A worker, or the embedded service, can open nothing for a while, and its idle simulators are killed."""
    role = _any(context, "worker", "service")
    return await _without_simulators(context, role, resource.RLIMIT_NOFILE, 3) if role else None


async def starve_of_memory(context: FaultContext) -> str | None:
    """A worker, or the embedded service, has no address space for a simulator, and its idle ones are killed."""
    role = _any(context, "worker", "service")
    if role is None or role.pid is None:
        return None
    return await _without_simulators(context, role, resource.RLIMIT_AS, _address_space(role.pid) + SPARE_BYTES)


async def stop_files_growing(context: FaultContext) -> str | None:
    """No file of the embedded service can grow for a while, as on a full disk."""
    (role,) = context.deployment.supervisor.of_kind("service") or (None,)
    if role is None or role.pid is None:
        return None
    with lowered(role.pid, resource.RLIMIT_FSIZE, FILE_BYTES):
        await context.last()
    return role.instance


async def leave_log_unread(context: FaultContext) -> str | None:
    """Nobody reads the pipe that a process logs to for a while."""
    role = _any(context, "api", "worker", "service")
    if role is None or role.log is None:
        return None
    with role.log.unread():
        await context.last()
    return role.instance


async def close_log(context: FaultContext) -> str | None:
    """The reader of the pipe that a process logs to goes away for good."""
    role = _any(context, "api", "worker", "service")
    if role is None or role.log is None:
        return None
    role.log.close()
    return role.instance


async def move_data_away(context: FaultContext) -> str | None:
    """The data directory of the embedded service has another name for a while."""
    data = context.deployment.data
    if data is None:
        return None
    elsewhere = data.with_name("elsewhere")
    data.rename(elsewhere)
    try:
        await context.last()
    finally:
        elsewhere.rename(data)
    return str(data.name)


@contextmanager
def lowered(pid: int, limit: int, most: int) -> Iterator[None]:
    """A soft limit of a living process, restored afterwards if it lives still."""
    soft, hard = resource.prlimit(pid, limit)
    resource.prlimit(pid, limit, (most, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, limit, (soft, hard))


RESOURCE_FAULTS: Mapping[str, Fault] = {
    "starve_of_descriptors": starve_of_descriptors,
    "starve_of_memory": starve_of_memory,
    "stop_files_growing": stop_files_growing,
    "leave_log_unread": leave_log_unread,
    "close_log": close_log,
    "move_data_away": move_data_away,
}


async def _without_simulators(context: FaultContext, role: Role, limit: int, most: int) -> str | None:
    if role.pid is None:
        return None
    idle = await _idle_simulators(context, role)
    with lowered(role.pid, limit, most):
        for simulator in idle:
            with suppress(ProcessLookupError):
                os.kill(simulator, signal.SIGKILL)
        await context.last()
    return f"{role.instance} with {len(idle)} idle simulators"


async def _idle_simulators(context: FaultContext, role: Role) -> list[int]:
    """Those that wait for a program, as soon as there are any: to end one at work is a crash of its task."""
    deadline = time.monotonic() + IDLE_SECONDS
    while True:
        idle = [pid for pid in simulators_of(context, role) if _sleeps(pid)]
        if idle or time.monotonic() > deadline:
            return idle
        await asyncio.sleep(POLL_SECONDS)


def _sleeps(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
    except OSError:
        return False


def _address_space(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def _any(context: FaultContext, *kinds: str) -> Role | None:
    roles = context.deployment.supervisor.of_kind(*kinds)
    return context.rng.choice(roles) if roles else None

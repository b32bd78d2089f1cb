"""Composes the checks of `ketline doctor` for the settings of a process: its machine, database and broker."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import gettempdir

from ketline.config import REDIS_SCHEMES, Settings, available_cores
from ketline.db.diagnosis import examine_postgresql, examine_sqlite
from ketline.db.schema.migrate import known_revisions
from ketline.domain.operations.diagnosis import Finding, ok, problem
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from ketline.execution.parent.machine import memory_bytes
from ketline.execution.sandbox import protections
from ketline.messaging.queue_names import QueueNames
from ketline.messaging.rabbit.diagnosis import examine_rabbit
from ketline.messaging.redis.diagnosis import examine_redis
from ketline.runtime.data_directory import DATABASE_FILE
from ketline.runtime.limits import execution_limits
from ketline.service.diagnosis import machine
from ketline.service.diagnosis.checks import Check, in_thread
from ketline.service.diagnosis.servers import judge_database, judge_queues

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only its size is read
OTHER_DESCRIPTORS = 512
_PACKAGES = ("ketline", "qiskit", "qiskit-aer", "fastapi", "sqlalchemy")


def checks_of(settings: Settings, *, embedded: bool) -> Mapping[str, Check]:
    """The checks of a process with these settings, by name; with `embedded`, of `ketline up`."""
    checks: dict[str, Check] = {
        "versions": _blocking(_versions),
        "cores": _blocking(lambda: [machine.judge_cores(settings.worker_slots, available_cores())]),
        "memory": _blocking(partial(_memory, settings)),
        "shared memory": _blocking(lambda: [machine.judge_shared_memory(machine.space_of(SHARED_MEMORY))]),
        "file descriptors": _blocking(partial(_descriptors, settings)),
        "sandbox": _blocking(_sandbox),
        "temporary files": _blocking(partial(_space, "temporary files", Path(gettempdir()))),
    }
    if embedded:
        file = settings.data_dir / DATABASE_FILE
        return {
            **checks,
            "disk": _blocking(partial(_space, "disk", settings.data_dir)),
            "database": _blocking(partial(_sqlite, file)),
        }
    return {**checks, "database": partial(_postgresql, settings), "broker": partial(_broker, settings)}


def _blocking(work: Callable[[], Sequence[Finding]]) -> Check:
    """A check that may block, run in a thread."""
    return lambda: in_thread(work)


def _versions() -> Sequence[Finding]:
    found = {name: _version_of(name) for name in _PACKAGES}
    missing = [name for name, known in found.items() if known is None]
    if missing:
        text = f"{', '.join(missing)} not installed"
        return [problem("versions", text, "Install the service's libraries: pip install 'ketline[server]'.")]
    shown = [f"{name} {known}" for name, known in found.items()]
    return [ok("versions", ", ".join([*shown, f"Python {platform.python_version()}", platform.release()]))]


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _memory(settings: Settings) -> Sequence[Finding]:
    available = machine.available_bytes(Path("/proc/meminfo").read_text())
    state = execution_limits(settings).memory_bytes
    return [machine.judge_memory(memory_bytes(), available, slots=settings.simulation_slots, state_bytes=state)]


def _descriptors(settings: Settings) -> Sequence[Finding]:
    return [machine.judge_descriptors(settings.max_connections + OTHER_DESCRIPTORS)]


def _sandbox() -> Sequence[Finding]:
    found = protections()
    return [machine.judge_protections(int(found["landlock"]), bool(found["seccomp"]))]


def _space(check: str, path: Path) -> Sequence[Finding]:
    return [machine.judge_space(check, machine.space_of(path))]


def _sqlite(file: Path) -> Sequence[Finding]:
    if not file.exists():
        return [ok("database", f"{file} is not there yet; `ketline up` makes it")]
    if not os.access(file, os.R_OK | os.W_OK):
        return [problem("database", f"{file} cannot be read and written", "Give it to the user of the service.")]
    return judge_database(examine_sqlite(file), known_revisions())


async def _postgresql(settings: Settings) -> Sequence[Finding]:
    facts = await examine_postgresql(settings.database_url.get_secret_value())
    return judge_database(facts, await in_thread(known_revisions))


async def _broker(settings: Settings) -> Sequence[Finding]:
    examine = examine_redis if settings.broker_url.startswith(REDIS_SCHEMES) else examine_rabbit
    external = [TaskQueue(TaskKind.RUN, entry.name) for entry in settings.external_backends]
    queues = (SIMULATIONS, CONVERSIONS, *external)
    product, found = await examine(settings.broker_url, QueueNames(settings.task_queue_name), queues)
    return judge_queues(product, found)

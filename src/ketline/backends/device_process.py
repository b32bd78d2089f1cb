"""Pools of processes that run a device: each process does one call at a time, and can be killed during it.

`LocalAdapter` and `RemoteAdapter` use them, so that code of a vendor that blocks or crashes does not stop a worker.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ketline.backends.wire import decode_answer, encode_call
from ketline.domain.errors import BackendUnavailable

# Importing a vendor's library takes seconds, on a busy machine many.
CALL_SECONDS = 120.0
_MAX_ANSWER_BYTES = 256 << 20
# The only variables that the process of a local simulator inherits: a service's environment contains credentials.
_INHERITED = (
    "PATH",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "HOME",
    "NUMBA_CACHE_DIR",
)
# The service's own variables, which no vendor's library needs.
_OWN = ("KETLINE_", "DATABASE_URL", "RABBITMQ_URL", "REDIS_URL", "CELERY_", "POSTGRES_", "PG")


class ProcessLost(BackendUnavailable):
    """The process ended, or did not answer in time, in the middle of a call."""


def minimal_environment() -> dict[str, str]:
    """The environment of a process that needs no credentials."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def client_environment() -> dict[str, str]:
    """The environment of a vendor's client: all but the service's own variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFactory:
    """How a process opens its device: a callable as `module:name`, and its keyword arguments.

    `environment` is that of the process; it may have credentials, and is not part of the `repr`.
    """

    path: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=minimal_environment, repr=False)


class DevicePool:
    """Up to `size` processes of a device; each starts when a call needs it, and serves further ones."""

    def __init__(self, factory: DeviceFactory, size: int, call_seconds: float = CALL_SECONDS) -> None:
        self._factory = factory
        self._free = asyncio.Semaphore(size)
        self._idle: list[asyncio.subprocess.Process] = []
        self._call_seconds = call_seconds
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether all processes are in use."""
        return self._free.locked()

    @asynccontextmanager
    async def checkout(self) -> AsyncIterator["DeviceProcess"]:
        """Wait for a free process, or start one; an error or cancellation in the context kills it."""
        async with self._free:
            process = self._take_idle() or await self._start()
            try:
                yield DeviceProcess(process, self._call_seconds)
            except BaseException:
                await _end(process)
                raise
            if self._closed or process.returncode is not None:
                await _end(process)
            else:
                self._idle.append(process)

    async def call(self, name: str, *arguments: object) -> Any:
        """Do one call in a free process, and return the decoded answer; raises what `DeviceProcess.call` does."""
        async with self.checkout() as process:
            answer = await process.call(name, arguments)
        return decode_answer(answer)

    async def close(self) -> None:
        """End the idle processes now, and the others when their calls end."""
        self._closed = True
        while self._idle:
            await _end(self._idle.pop())

    def _take_idle(self) -> asyncio.subprocess.Process | None:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        return None

    async def _start(self) -> asyncio.subprocess.Process:
        device = json.dumps({"factory": self._factory.path, "arguments": dict(self._factory.arguments)})
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ketline.backends.host", str(os.getpid()), device),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=dict(self._factory.environment),
                limit=_MAX_ANSWER_BYTES,
                start_new_session=True,  # so that Ctrl-C in a terminal reaches only the parent
            )
        except OSError as error:
            raise BackendUnavailable(f"No process for the backend could be started: {error.strerror}.") from error


@dataclass(frozen=True, slots=True)
class DeviceProcess:
    """A process that one caller has checked out of a pool."""

    process: asyncio.subprocess.Process
    seconds: float

    async def call(self, name: str, arguments: Sequence[object], seconds: float | None = None) -> bytes:
        """Do a call within `seconds`, by default the time limit of the pool; return its answer for `decode_answer`.

        Raises:
            ProcessLost: the process ended or did not answer in time; the device may or may not have done the call.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(self.seconds if seconds is None else seconds):
                self.process.stdin.write(encode_call(name, arguments))
                await self.process.stdin.drain()
                line = await self.process.stdout.readline()
        except TimeoutError as error:
            raise ProcessLost(f"The backend did not answer `{name}` in time.") from error
        except (OSError, ValueError) as error:
            raise ProcessLost(f"The backend's process failed during `{name}`.") from error
        if not line.endswith(b"\n"):
            raise ProcessLost(f"The backend's process ended during `{name}`.")
        return line


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()

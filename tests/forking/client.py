"""The client of the fork server: starts processes, and learns of their ends."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]


class ForkedProcess(asyncio.Protocol):
    """A process of the fork server; it looks like an `asyncio.subprocess.Process`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._lines = b""
        self._started: asyncio.Future[int] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()

    @property
    def pid(self) -> int:
        return self._started.result()

    @property
    def returncode(self) -> int | None:
        """The exit status, negative after a signal; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def started(self) -> Self:
        await asyncio.shield(self._started)
        return self

    async def wait(self) -> int:
        """The exit status, once it has ended."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *complete, self._lines = (self._lines + data).split(b"\n")
        for line in complete:
            (self._ended if self._started.done() else self._started).set_result(int(line))
        if self._ended.done():
            self._transport.close()


class BlockingProcess:
    """A process of the fork server for a caller without an event loop; it looks like a `subprocess.Popen`."""

    def __init__(self, reports: socket.socket) -> None:
        self.returncode: int | None = None
        self._reports = reports
        self._lines = reports.makefile("rb")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """The exit status, negative after a signal; None while it runs."""
        ended, _, _ = select.select([self._reports], [], [], 0) if self.returncode is None else ([], [], [])
        return self.wait() if ended else self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        if self.returncode is None:
            if not select.select([self._reports], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0)
            self.returncode = int(self._lines.readline())
            self.close()
        return self.returncode

    def close(self) -> None:
        """Learn no more of it."""
        self._lines.close()
        self._reports.close()

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class ForkServer:
    """Starts processes that run `launch` of the module `launcher`; they end with its context at the latest.

    It belongs to no event loop: one serves all tests of a session.
    """

    def __init__(self, launcher: str) -> None:
        self._commands, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forking.server", launcher, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Without threads of libraries that it imports, of which a forked process has none.
                env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"},
            )

    async def fork(
        self, directory: Path, arguments: Sequence[str], environment: Mapping[str, str], output: int
    ) -> ForkedProcess:
        """Start a process in this directory; the descriptor `output` takes what it prints."""
        reports = self._request(directory, arguments, environment, output)
        _, process = await asyncio.get_running_loop().create_unix_connection(ForkedProcess, sock=reports)
        return await process.started()

    def fork_blocking(
        self, directory: Path, arguments: Sequence[str], environment: Mapping[str, str], output: int
    ) -> BlockingProcess:
        """As `fork`, for a caller without an event loop."""
        return BlockingProcess(self._request(directory, arguments, environment, output))

    def _request(
        self, directory: Path, arguments: Sequence[str], environment: Mapping[str, str], output: int
    ) -> socket.socket:
        """Request a process; its id and later its exit status come through the socket, a line each."""
        command = {"directory": str(directory), "arguments": arguments, "environment": dict(environment)}
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._commands, [json.dumps(command).encode()], [output, theirs.fileno()])
        return ours

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._commands.close()
        self._process.wait()

"""One server process tree below a guard, and the account it runs under."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_GUARD = Path(__file__).with_name("guard.py")
_STOP_SECONDS = 60.0
_LOG_TAIL_CHARACTERS = 4000


class ServerFailed(Exception):
    """A test server did not start, answer or stop as it should; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The system user a server runs as."""

    uid: int
    gid: int

    @classmethod
    def of_service(cls, name: str) -> "Account":
        """The current user; for root, who may not run PostgreSQL, the service's own user or `nobody`."""
        if os.geteuid() != 0:
            return cls(uid=os.getuid(), gid=os.getgid())
        users = {user.pw_name: user for user in pwd.getpwall()}
        user = users.get(name) or users["nobody"]
        return cls(uid=user.pw_uid, gid=user.pw_gid)

    def make_directory(self) -> Path:
        """A new private directory that this account owns."""
        directory = Path(tempfile.mkdtemp(prefix="ketline-test-"))
        self.own(directory)
        return directory

    def own(self, path: Path) -> None:
        """Gives `path` to this account."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def run(self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout: float) -> str:
        """Standard output of a command run as this account.

        Raises:
            ServerFailed: The command failed or took longer than `timeout` seconds.
        """
        root = os.geteuid() == 0
        try:
            done = subprocess.run(
                command,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=True,
                user=self.uid if root else None,
                group=self.gid if root else None,
                extra_groups=[self.gid] if root else None,
            )
        except subprocess.CalledProcessError as error:
            raise ServerFailed(f"{command[0]} exited with {error.returncode}:\n{error.stdout}{error.stderr}") from error
        except subprocess.TimeoutExpired as error:
            raise ServerFailed(f"{command[0]} took longer than {timeout:.0f} s") from error
        return done.stdout


class ServerProcess:
    """A server that can be launched, stopped and killed again and again on the same directory."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        account: Account,
        environment: Mapping[str, str],
        stop_signal: signal.Signals,
    ) -> None:
        self._command = [
            str(_GUARD),
            str(account.uid),
            str(account.gid),
            str(int(stop_signal)),
            str(directory),
            *command,
        ]
        self._directory = directory
        self._environment = dict(environment)
        self._guard: subprocess.Popen[str] | None = None

    @property
    def running(self) -> bool:
        """Whether the server was launched and has not ended."""
        return self._guard is not None and self._guard.poll() is None

    def launch(self) -> None:
        """Starts the server without waiting for it to answer."""
        if self.running:
            raise ServerFailed(f"{self._directory}: the server is already running")
        self._close_guard()
        with self._log.open("w") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", *self._command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
                text=True,
            )

    async def stop(self) -> None:
        """Lets the server shut down cleanly and waits until no process of it is left."""
        try:
            await self._order("stop")
        except ServerFailed:
            await self._order("kill")
            raise

    async def kill(self) -> None:
        """Sends SIGKILL to every process of the server and waits until none is left."""
        await self._order("kill")

    async def discard(self) -> None:
        """Stops the server and deletes its directory."""
        try:
            await self.stop()
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)

    def failure(self, what: str) -> ServerFailed:
        """The error for `what`, with the end of the server's log."""
        tail = self._log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:] if self._log.exists() else ""
        return ServerFailed(f"{what}\n{tail}")

    @property
    def _log(self) -> Path:
        return self._directory / "server.log"

    async def _order(self, order: str) -> None:
        guard = self._guard
        if guard is None:
            return
        assert guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the server ended by itself, and the guard with it
            guard.stdin.write(f"{order}\n")
            guard.stdin.flush()
        try:
            await asyncio.to_thread(guard.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise self.failure(f"the server did not {order} within {_STOP_SECONDS:.0f} s") from error
        self._close_guard()

    def _close_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
        self._guard = None

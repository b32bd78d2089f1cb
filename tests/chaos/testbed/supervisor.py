"""Keeps the service's processes running: whatever ends is started again at once, and how it ended is written down."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.processes import clean_environment
from tests.chaos.testbed.logpipe import LogPipe
from tests.chaos.verdict.records import Violation
from tests.signals import send_signal

_PARENT_DEATH = Path(__file__).with_name("parent_death.py")
RESTART_SECONDS = 0.05
# Between SIGTERM and the end: the grace time, what connections are granted, and a busy machine.
STOP_SECONDS = 25.0


@dataclass(slots=True)
class Role:
    """A place in the service that one process after the other fills; `name.generation` is the process's name."""

    name: str
    arguments: Sequence[str]
    process: Process | None = None
    log: LogPipe | None = None
    generation: int = 0
    frozen: bool = False
    struck: set[int] = field(default_factory=set)

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]

    @property
    def instance(self) -> str:
        return f"{self.name}.{self.generation}"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None


class Supervisor:
    """Starts one process per role in `directory`, tied to this process, and ends them all when it is closed.

    `killed` has the moment of each SIGKILL by the name of the process it hit. `program` is what Python runs; with
    `piped` what processes log passes through pipes.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str],
        program: Sequence[str] = ("-m", "ketline"),
        *,
        piped: bool = False,
    ) -> None:
        self.directory = directory
        self.roles: dict[str, Role] = {}
        self.starts = 0
        self.killed: dict[str, datetime] = {}
        self.violations: list[Violation] = []
        self._environment = clean_environment(**settings) | {"TMPDIR": str(directory)}
        self._program = program
        self._piped = piped
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = asyncio.Event()

    def keep(self, name: str, *arguments: str) -> None:
        """Have one process with these arguments running from now on."""
        role = self.roles[name] = Role(name, arguments)
        self._keepers.append(asyncio.create_task(self._keep(role)))

    def of_kind(self, *kinds: str) -> Sequence[Role]:
        """The roles of these kinds whose process lives."""
        return [role for role in self.roles.values() if role.kind in kinds and role.alive]

    def signal(self, role: Role, number: signal.Signals) -> None:
        """Send a signal to the role's process, whose end by it is then no surprise."""
        if role.alive and role.process is not None:
            if number in {signal.SIGKILL, signal.SIGTERM}:
                role.struck.add(role.process.pid)
            if number is signal.SIGKILL:
                self.killed.setdefault(role.instance, datetime.now(UTC))
            send_signal(role.process, number)

    async def stop(self, role: Role) -> None:
        """Ask the role's process to end, and make it when it does not."""
        process, instance = role.process, role.instance
        if process is None:
            return
        self.signal(role, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                code = await process.wait()
        except TimeoutError:
            self._report_exit(instance, f"still there {STOP_SECONDS:g} s after SIGTERM")
            self.signal(role, signal.SIGKILL)
        else:
            if code not in {0, -signal.SIGKILL} and not self._was_starting(instance, code):
                self._report_exit(instance, f"exit status {code} after SIGTERM")

    async def run_once(self, *arguments: str) -> int:
        """Run a command of the service to its end."""
        process = await self._start("once", arguments)
        return await process.wait()

    async def close(self) -> None:
        """End every process, by SIGKILL, and return when they are gone."""
        self._closing.set()
        for role in self.roles.values():
            self.signal(role, signal.SIGKILL)
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, role: Role) -> None:
        while not self._closing.is_set():
            role.generation += 1
            role.frozen = False
            role.log = await self._open_pipe(role.instance) if self._piped else None
            role.process = await self._start(role.instance, role.arguments, role.log)
            if self._closing.is_set():
                role.process.kill()
            code = await role.process.wait()
            if role.log is not None:
                await role.log.ended()
            if role.process.pid not in role.struck and not self._closing.is_set():
                self._report_exit(role.instance, f"ended by itself with {code}")
            await asyncio.sleep(RESTART_SECONDS)

    async def _open_pipe(self, instance: str) -> LogPipe:
        pipe = LogPipe(self._log(instance))
        await pipe.open()
        return pipe

    async def _start(self, instance: str, arguments: Sequence[str], pipe: LogPipe | None = None) -> Process:
        self.starts += 1
        command = [sys.executable, *self._program, *arguments]
        with self._log(instance).open("ab") if pipe is None else os.fdopen(pipe.writing, "wb") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_PARENT_DEATH), str(os.getpid()), *command),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={**self._environment, "WORKER_ID": instance},
            )

    def _was_starting(self, instance: str, code: int) -> bool:
        """Whether SIGTERM came before the process had said anything: its handler is one of its first deeds."""
        return code == -signal.SIGTERM and not self._log(instance).stat().st_size

    def _log(self, instance: str) -> Path:
        return self.directory / f"{instance}.log"

    def _report_exit(self, instance: str, detail: str) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        violation = Violation(
            invariant="processes end only when told to", subject=instance, detail=f"{detail} at {moment}"
        )
        self.violations.append(violation)

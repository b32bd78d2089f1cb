"""The processes the benchmark starts: each is ended by its pid, and the processor time of each can be read."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Self

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 45.0

# What a shell may hold and must not change the figures or reach somebody else's servers.
_FOREIGN = ("KETLINE_", "DATABASE_URL", "RABBITMQ_URL", "REDIS_URL", "LOG_LEVEL", "NUM_SHOTS", "WORKER_", "TASK_")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without Ketline's variables, and then `settings`."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)} | settings


async def start_module(
    module: str, *arguments: str, log: IO[bytes] | None = None, settings: Mapping[str, str] | None = None
) -> Process:
    """Start a program of this environment, such as one of the benchmark's own, with pipes for its input and output.

    Its errors go to `log`, or else where this process's go.
    """
    command = (sys.executable, "-m", module, *arguments)
    return await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=log, cwd=ROOT, env=clean_environment(**settings or {})
    )


def say_line(process: Process, line: str) -> None:
    """Say a line to a program started with pipes."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())


async def read_line(process: Process, timeout_seconds: float) -> bytes:
    """The next line that a program started with pipes prints.

    Raises:
        RuntimeError: it ended instead.
        TimeoutError: it printed none in time.
    """
    assert process.stdout is not None
    async with asyncio.timeout(timeout_seconds):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"the process {process.pid} ended early")
    return line


async def start_ketline(*arguments: str, directory: Path, log: IO[bytes], settings: Mapping[str, str]) -> Process:
    """Start the `ketline` command of this environment; what it prints goes to `log`."""
    command = Path(sys.executable).with_name("ketline")
    return await asyncio.create_subprocess_exec(
        command, *arguments, stdin=DEVNULL, stdout=log, stderr=log, cwd=directory, env=clean_environment(**settings)
    )


async def end(process: Process) -> None:
    """Return when the process is gone: asked first, killed when it does not listen."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def children() -> set[int]:
    """The process ids of this process's children."""
    return {pid for pid, parent in _parents().items() if parent == os.getpid()}


@dataclass(frozen=True, slots=True)
class Account:
    """The processes whose processor time is counted together: a root, those below it, or both."""

    root: int
    part: Literal["root", "below", "all"] = "all"

    def seconds(self) -> float:
        """Processor time so far; of children that ended too, except of the root's when only the root counts."""
        own = 0.0 if self.part == "below" else _seconds(self.root, ended_children=self.part == "all")
        return own + (0.0 if self.part == "root" else sum(_seconds(pid) for pid in below(self.root)))

    def pids(self) -> list[int]:
        """The processes there are now."""
        own = [] if self.part == "below" else [self.root]
        return own if self.part == "root" else [*own, *below(self.root)]


@dataclass(frozen=True, slots=True)
class Watch:
    """Tells, from when it was made, how much of the machine others had: the figures are worth less for it."""

    accounts: Mapping[str, Account]
    used_before: Mapping[str, float]
    machine_before: tuple[float, float]

    @classmethod
    def start(cls, accounts: Mapping[str, Account]) -> Self:
        return cls(accounts, _used(accounts), _machine_seconds())

    def used_seconds(self) -> dict[str, float]:
        """Processor time of each account since the start."""
        return {name: spent - self.used_before[name] for name, spent in _used(self.accounts).items()}

    def others_share(self) -> float:
        """Share of the machine's processor time since the start that went to no account."""
        busy, total = (now - before for now, before in zip(_machine_seconds(), self.machine_before, strict=True))
        return max(0.0, busy - sum(self.used_seconds().values())) / total if total else 0.0


def _used(accounts: Mapping[str, Account]) -> dict[str, float]:
    return {name: account.seconds() for name, account in accounts.items()}


def _machine_seconds() -> tuple[float, float]:
    # Source: proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
    ticks = list(map(int, Path("/proc/stat").read_text().split(None, 9)[1:9]))
    return (sum(ticks) - ticks[3] - ticks[4]) / _TICKS_PER_SECOND, sum(ticks) / _TICKS_PER_SECOND


def below(root: int) -> Iterable[int]:
    """The process ids of a process's descendants."""
    parents = _parents()
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        found = [pid for pid in parents if parents[pid] == parent]
        waiting += found
        yield from found


def _parents() -> dict[int, int]:
    found = {int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    return {pid: int(stat[1]) for pid, stat in found.items() if stat}


def _seconds(pid: int, *, ended_children: bool = True) -> float:
    # Source: proc(5): utime, stime, cutime and cstime are fields 14 to 17; `stat` begins with field 3.
    stat = _stat(pid)
    return sum(map(int, stat[11 : 15 if ended_children else 13])) / _TICKS_PER_SECOND


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may hold anything; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []

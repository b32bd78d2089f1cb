"""Inspects and runs a program in a simulator process, and measures what the process takes; `compare` is the entry."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks.estimates.comparison import MIN_BYTES, Comparison
from benchmarks.estimates.programs import NamedProgram
from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.errors import ExecutionFailed
from ketline.domain.failures import FailureCode
from ketline.domain.results.result import Profile
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunner

_SHOTS = 1024
_READING_SECONDS = 30
# One program's rounds end when these are over.
_MAX_SECONDS = 20.0


async def compare(
    runner: ChildRunner, limits: ExecutionLimits, program: NamedProgram, rounds: int
) -> Comparison | None:
    """None for a program that cannot be run."""
    inspections: list[Inspection] = []
    runs: list[_Run] = []
    deadline = time.monotonic() + _MAX_SECONDS
    try:
        await runner.inspect(_spec(program, 0), _READING_SECONDS)  # fills the caches of a fresh process
        for number in range(rounds):
            if runs and time.monotonic() > deadline:
                break
            inspections.append(await runner.inspect(_spec(program, 2 * number + 1), _READING_SECONDS))
            runs.append(await _run(runner, _spec(program, 2 * number + 2)))
    except ExecutionFailed as error:
        if error.failure.code is FailureCode.TIMEOUT:
            print(f"{program.name}: {error.message}")
        return None
    found = _comparison(program.name, inspections, runs)
    if max(found.peak_bytes, found.told_bytes or 0) <= MIN_BYTES:
        return found
    return replace(found, peak_bytes=await _peak_in_a_new_process(limits, program))


async def _peak_in_a_new_process(limits: ExecutionLimits, program: NamedProgram) -> int:
    """By how much a run grows a process that has only read programs: it holds no memory of earlier states."""
    runner = ChildRunner(limits)
    await runner.open()
    try:
        await runner.inspect(_spec(program, 0), _READING_SECONDS)
        return (await _run(runner, _spec(program, 1))).peak_bytes
    finally:
        await runner.close()


def _spec(program: NamedProgram, number: int) -> TaskSpec:
    """A comment makes it another program each time: one that was read before would not be read again."""
    form = format_by_header(program.text) or ProgramFormat.OPENQASM3
    options = RunOptions(format=form, seed=number)
    return TaskSpec(circuit=f"{program.text}\n// {number}\n", shots=_SHOTS, options=options)


@dataclass(frozen=True, slots=True)
class _Run:
    profile: Profile
    seconds: float
    peak_bytes: int


async def _run(runner: ChildRunner, spec: TaskSpec) -> _Run:
    process = Path(f"/proc/{runner.pid}")
    before = _Usage.of(process)
    (process / "clear_refs").write_text("5")  # the highest memory so far becomes that of now
    profile = (await runner.run(spec)).profile
    after = _Usage.of(process)
    return _Run(profile, after.seconds - before.seconds, after.highest_bytes - before.bytes)


@dataclass(frozen=True, slots=True)
class _Usage:
    """What a process has used: processor time of all its threads, its memory now, and the most it had.

    Source: the kernel's Documentation/scheduler/sched-stats.rst (the first field is nanoseconds on a processor), and
    Documentation/filesystems/proc.rst.
    """

    seconds: float
    bytes: int
    highest_bytes: int

    @classmethod
    def of(cls, process: Path) -> Self:
        threads = (process / "task").iterdir()
        nanoseconds = sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads)
        lines = (process / "status").read_text(encoding="ascii").splitlines()
        kibibytes = {
            name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines if "Vm" in line)
        }
        return cls(nanoseconds / 1e9, kibibytes["VmRSS"] << 10, kibibytes["VmHWM"] << 10)


def _comparison(name: str, inspections: list[Inspection], runs: list[_Run]) -> Comparison:
    seconds = [one.estimated_seconds for one in inspections if one.estimated_seconds is not None]
    told, profile = inspections[0], runs[0].profile
    return Comparison(
        name=name,
        qubits=told.qubits,
        told_method=str(told.method),
        method=profile.method,
        told_seconds=median(seconds) if len(seconds) == len(inspections) else None,
        seconds=median(run.seconds for run in runs),
        told_bytes=told.memory_bytes,
        peak_bytes=int(median(run.peak_bytes for run in runs)),
    )

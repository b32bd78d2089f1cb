"""Compares inspections with runs: `bash .ci/uv run --group corpus python -m benchmarks.estimates [DIRECTORY…]`.

Without directories it takes the fifty circuits of the suite, and 100 programs of the corpus. Every program is inspected
and run several times in one simulator process, as the service does it; the medians are compared. At the end it says of
how many the method, the time and the memory were as told, the last two within a factor of two.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from benchmarks.estimates.comparison import FACTOR, MIN_BYTES, MIN_SECONDS, Comparison
from benchmarks.estimates.programs import NamedProgram, corpus_programs, programs_of, suite_programs
from benchmarks.estimates.simulator import compare
from ketline.domain.devices.backend import Engine
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunner

_COLUMNS = ("program", "qubits", "method told", "method", "told, ms", "took, ms", "told, MiB", "took, MiB", "")

_UNBOUNDED = 1 << 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directories", nargs="*", type=Path, help="programs of these directories only")
    parser.add_argument("--programs", type=int, default=100, help="of the corpus (%(default)s)")
    parser.add_argument("--seed", type=int, default=16, help="of the choice of these (%(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="inspections and runs of each (%(default)s)")
    parser.add_argument("--engines", default="aer,lightning", help="as KETLINE_ENGINES (%(default)s)")
    options = parser.parse_args()
    # No process is replaced because it grew: its figures would be gone.
    limits = ExecutionLimits(growth_bytes=_UNBOUNDED, lightning=Engine.LIGHTNING in options.engines.split(","))
    asyncio.run(_report(_sets(options), limits, options.rounds))


def _sets(options: argparse.Namespace) -> Sequence[tuple[str, Iterable[NamedProgram], int | None]]:
    """The title of each set, its programs, and after how many that run it ends."""
    if options.directories:
        return [("programs", programs_of(options.directories), None)]
    return [
        ("suite", suite_programs(), None),
        ("corpus", corpus_programs(options.seed), options.programs),
    ]


async def _report(
    sets: Sequence[tuple[str, Iterable[NamedProgram], int | None]], limits: ExecutionLimits, rounds: int
) -> None:
    runner = ChildRunner(limits)
    await runner.open()
    try:
        for title, programs, most in sets:
            print(f"\n## {title}\n\n| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
            found = [one async for one in _compared(runner, limits, programs, most, rounds)]
            print(f"\n{_summary(found)}", flush=True)
    finally:
        await runner.close()


async def _compared(
    runner: ChildRunner, limits: ExecutionLimits, programs: Iterable[NamedProgram], most: int | None, rounds: int
) -> AsyncIterator[Comparison]:
    found = 0
    for program in programs:
        if found == most:
            return
        one = await compare(runner, limits, program, rounds)
        if one is not None:
            found += 1
            print(_row(one), flush=True)
            yield one


def _row(one: Comparison) -> str:
    told = "-" if one.told_seconds is None else f"{one.told_seconds * 1e3:.3g}"
    differing = ", ".join(
        what
        for what, is_right in (
            ("method", one.method_is_right),
            ("time", one.time_is_right),
            ("memory", one.memory_is_right),
        )
        if not is_right
    )
    cells = (one.name, str(one.qubits), one.told_method, one.method, told, f"{one.seconds * 1e3:.3g}")
    return f"| {' | '.join((*cells, _mebibytes(one.told_bytes), _mebibytes(one.peak_bytes), differing))} |"


def _mebibytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 2**20:.3g}"


def _summary(found: Sequence[Comparison]) -> str:
    timed = [one for one in found if max(one.seconds, one.told_seconds or 0) > MIN_SECONDS]
    held = [one for one in found if max(one.peak_bytes, one.told_bytes or 0) > MIN_BYTES]
    return (
        f"{sum(one.is_right for one in found)} of {len(found)} programs have the method they were told, and time and "
        f"memory within {FACTOR} times: the method {sum(one.method_is_right for one in found)}, the time "
        f"{sum(one.time_is_right for one in found)}, the memory {sum(one.memory_is_right for one in found)}. Of the "
        f"{len(timed)} that took or were told more than {MIN_SECONDS * 1e3:g} ms the time of "
        f"{sum(one.time_is_right for one in timed)} was right, of the {len(held)} that took or were told more than "
        f"{MIN_BYTES >> 20} MiB the memory of {sum(one.memory_is_right for one in held)}."
    )


if __name__ == "__main__":
    main()

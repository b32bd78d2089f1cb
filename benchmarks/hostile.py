"""The time that the most expensive hostile programs take in each front end: `python -m benchmarks.hostile`.

Each front end gets every text that is meant for it or for later ones; the last row is a simulator process with the
limits of the service, which tries all front ends.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ketline.domain.errors import ExecutionFailed
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.child.soft_time_limit import SoftTimeLimit, soft_time_limit
from ketline.execution.frontend.scanner import scan
from ketline.execution.frontend.syntax_tree import parse_text, read_with_importer
from ketline.execution.frontend.unroller import unroll
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunner
from tests.integration.execution.test_hostile import HOSTILE
from tests.unit.execution.test_scanner import HOSTILE as HOSTILE_TO_THE_SCANNER

_LIMITS = ExecutionLimits()
_TEXTS = {name: text for name, (text, _) in HOSTILE.items()}
# The parser takes minutes over this, so the soft time limit ends it.
_LONGEST = {"a megabyte of branches": 'include "stdgates.inc"; qubit q; bit c; ' + "if (c) x q;" * 90_000}
_FRONT_ENDS: dict[str, tuple[Callable[[str], object], dict[str, str]]] = {
    "scanner": (lambda text: scan(text, _LIMITS), _TEXTS | HOSTILE_TO_THE_SCANNER | _LONGEST),
    "parser and importer": (lambda text: read_with_importer(text, _LIMITS), _TEXTS),
    "parser and unroller": (lambda text: unroll(parse_text(text, _LIMITS, {}).root, _LIMITS, {}), _TEXTS),
}


def main() -> None:
    print("| front end | programs | slowest | seconds | next |\n|---|---|---|---|---|")
    for front_end, (read, texts) in _FRONT_ENDS.items():
        _print_row(front_end, {name: _seconds(read, text) for name, text in texts.items()})
    asyncio.run(_through_a_child(_TEXTS | _LONGEST))


def _seconds(read: Callable[[str], object], text: str) -> float:
    started = time.process_time()
    with suppress(ExecutionFailed, SoftTimeLimit), soft_time_limit(_LIMITS.soft_time_limit.total_seconds()):
        read(text)
    return time.process_time() - started


async def _through_a_child(texts: dict[str, str]) -> None:
    runner = ChildRunner(_LIMITS)
    await runner.open()
    peak, taken = 0, {}
    try:
        for name, text in texts.items():
            started = time.perf_counter()
            with suppress(ExecutionFailed):
                await runner.run(TaskSpec(circuit=text, shots=1024))
            taken[name] = time.perf_counter() - started
            peak = max(peak, _peak_mebibytes(runner.pid))
    finally:
        await runner.close()
    _print_row("all, in a simulator process", taken)
    print(f"\nThe process took at most {peak} MiB.")


def _print_row(front_end: str, taken: dict[str, float]) -> None:
    (slowest, seconds), *others = sorted(taken.items(), key=lambda item: -item[1])[:4]
    rest = ", ".join(f"{name} {took:.2f}" for name, took in others)
    print(f"| {front_end} | {len(taken)} | {slowest} | {seconds:.2f} | {rest} |", flush=True)


def _peak_mebibytes(pid: int | None) -> int:
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) >> 10
    return 0


if __name__ == "__main__":
    main()

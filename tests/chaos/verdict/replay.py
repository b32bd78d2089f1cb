"""Runs programs again with their tasks' seeds: the counts recorded must be the very same."""

from collections.abc import Iterator
from functools import cache

from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.chaos.run.programs import KnownTask
from tests.chaos.verdict.records import StoredTask, Violation


def seeded_result_is_recomputed(task: StoredTask, known: KnownTask) -> Iterator[Violation]:
    """A completed task's counts are those of its own program and seed, shot for shot; long programs are passed over."""
    if task.status != "completed" or task.seed is None or known.kind == "long":
        return
    program = load_program(known.program, ExecutionLimits())
    counts = _simulator().run(program, known.shots, RunOptions(seed=task.seed)).counts
    if counts != task.counts:
        detail = f"{known.kind} {known.number}: {task.counts} is stored, {counts} with seed {task.seed}"
        yield Violation(invariant="the result is that of the seed", subject=task.task_id, detail=detail)


@cache
def _simulator() -> Simulator:
    return Simulator(ExecutionLimits())

"""Reports how a program would be simulated, without simulating it; the executor calls it for `Command.INSPECT`."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ketline.domain.errors import ExecutionFailed
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.quota_checks import require_qubits
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.methods import Choice


class Planned(NamedTuple):
    """How a program would be simulated with `shots` shots, and how often, for example in several bases."""

    choice: Choice
    program: Program
    shots: int
    repeats: int = 1


def inspect_program(
    program: Program,
    simulator: Simulator,
    spec: TaskSpec,
    reading_seconds: float,
    plan: Callable[[], Planned],
) -> Inspection:
    """Inspect the program of a task, which would be simulated by this plan.

    The estimated time includes `reading_seconds`.
    """
    lowered = program.lowered
    qubits = lowered.num_qubits
    inspection = Inspection(
        tier=program.front_end,
        qubits=qubits,
        # Routing on a device may use more qubits than the program has.
        unused_qubits=program.declared_qubits - qubits if program.placement is None else 0,
        depth=lowered.depth,
        operations=dict(lowered.operations),
        warnings=program.warnings,
        placement=program.placement,
    )
    try:
        require_qubits(program.declared_qubits, spec)
        planned = plan()
    except ExecutionFailed as error:
        return replace(inspection, failure=error.failure)
    choice = planned.choice
    simulating = simulator.seconds(planned.program, choice, planned.shots)
    seconds = None if simulating is None else reading_seconds + planned.repeats * simulating
    return replace(
        inspection,
        method=choice.method.name,
        method_reason=choice.reason,
        memory_bytes=choice.method.state_bytes(lowered),
        estimated_seconds=None if seconds is None else float(f"{seconds:.2g}"),
    )

"""Reports how a program would be simulated, without simulating it; the executor calls it for `Command.INSPECT`."""

from dataclasses import replace

from ketline.domain.errors import ExecutionFailed
from ketline.domain.inspection import Inspection
from ketline.domain.spec import RunOptions
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Simulator


def inspect_program(
    program: Program, simulator: Simulator, shots: int, options: RunOptions, reading_seconds: float, runs: int = 1
) -> Inspection:
    """Inspect a program. Its estimated time includes the time that reading it took here, for each of `runs`."""
    lowered = program.lowered
    qubits = lowered.num_qubits
    inspection = Inspection(
        tier=program.front_end,
        qubits=qubits,
        unused_qubits=program.declared_qubits - qubits,
        depth=lowered.depth,
        operations=dict(lowered.operations),
        warnings=program.warnings,
    )
    try:
        choice = simulator.plan(program, shots, options)
    except ExecutionFailed as error:
        return replace(inspection, failure=error.failure)
    simulating = simulator.seconds(program, choice, shots)
    seconds = None if simulating is None else runs * (reading_seconds + simulating)
    return replace(
        inspection,
        method=choice.method.name,
        method_reason=choice.reason,
        memory_bytes=choice.method.state_bytes(lowered),
        estimated_seconds=None if seconds is None else float(f"{seconds:.2g}"),
    )

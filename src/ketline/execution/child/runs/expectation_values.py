"""Computes the expectation values of observables, for a sweep at each point."""

from ketline.domain.observables import observables_at
from ketline.domain.quota_checks import require_qubits
from ketline.domain.task import RunResult
from ketline.execution.child.profile import profile_of
from ketline.execution.child.reader import observed_by
from ketline.execution.child.result_size import check_values
from ketline.execution.child.runs.context import RunContext
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Expectation


def compute_expectation_values(run: RunContext) -> RunResult:
    """Compute the values of each observable in the state before the measurements at the end."""
    spec = run.spec
    requested = observables_at(spec.options.observables, run.points or 1)
    check_values(sum(map(len, requested)), run.limits)
    with run.stopwatch.reading():
        run.noise_model()
        read = run.reader.loader(run.request, observed_by(run.request))
    runs: list[tuple[Program, Expectation]] = []
    for number, (inputs, observables) in enumerate(zip(run.inputs(), requested, strict=True)):
        with run.at_point(number):
            with run.stopwatch.reading():
                program = read(inputs)
            require_qubits(program.declared_qubits, spec)
            with run.stopwatch.simulating():
                found = run.simulator.expect(program, observables, spec.options.method)
        runs.append((program, found) if not runs else (runs[0][0], found))
    values = [found.values for _, found in runs]
    return RunResult(
        counts={},
        shots=spec.shots,
        profile=profile_of(*runs[0], run.stopwatch),
        expectation_values=values[0] if run.points is None else values,
    )

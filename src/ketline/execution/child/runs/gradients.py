"""Computes the expectation values of observables and their gradients, for a sweep at each point."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ketline.domain.results.gradients import GradientsAtPoint
from ketline.domain.results.observable import Observable
from ketline.domain.results.observables import observables_at
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import InputValue
from ketline.domain.tasks.quota_checks import require_qubits
from ketline.domain.tasks.sweep import first_point, number_of_points
from ketline.execution.child.profile import profile_of
from ketline.execution.child.reader import ProgramReader
from ketline.execution.child.result_size import check_gradients, check_values
from ketline.execution.child.runs.context import RunContext
from ketline.execution.child.runs.derivatives import by_input
from ketline.execution.frontend.program import Program
from ketline.execution.frontend.sloped_programs import SlopedProgram, SlopedReader
from ketline.execution.protocol.requests import Request
from ketline.execution.simulators.aer import Differentiated, Simulator
from ketline.execution.simulators.methods import Choice

_Inputs = Mapping[str, InputValue]


class _AtPoint(NamedTuple):
    values: Sequence[float]
    gradients: GradientsAtPoint


def compute_gradients(run: RunContext) -> RunResult:
    """Compute the value of each observable in the final state, and its derivatives by the inputs."""
    requested = observables_at(run.spec.options.observables, run.points or 1)
    check_values(sum(map(len, requested)), run.limits)
    with run.stopwatch.reading():
        read = run.reader.sloped(run.request)
    first: tuple[Program, Differentiated] | None = None
    found: list[_AtPoint] = []
    for number, (inputs, observables) in enumerate(zip(run.inputs(), requested, strict=True)):
        with run.at_point(number):
            read_program, differentiated = _differentiated(run, read, inputs, observables, sum(map(len, requested)))
            gradients = by_input(read_program, differentiated.slopes, inputs)
        first = first or (read_program.program, differentiated)
        found.append(_AtPoint(differentiated.values, gradients))
    assert first is not None  # a sweep has a point
    profile = profile_of(*first, run.stopwatch)
    values, slopes = [one.values for one in found], [one.gradients for one in found]
    swept = run.points is not None
    return RunResult(
        counts={},
        shots=run.spec.shots,
        profile=profile,
        expectation_values=values if swept else values[0],
        gradients=slopes if swept else slopes[0],
    )


def planned_gradient(
    request: Request, reader: ProgramReader, simulator: Simulator
) -> tuple[Program, Callable[[], Choice]]:
    """The program of a request with a gradient, at the first point of a sweep, and what plans its simulation."""
    options = request.spec.options
    program, sloped, _ = reader.sloped(request)(first_point(request.spec.inputs))
    observables = observables_at(options.observables, number_of_points(request.spec.inputs) or 1)[0]
    plan = partial(simulator.plan_gradient, program, sloped, len(observables), options)
    return program, lambda: plan().choice


def _differentiated(
    run: RunContext, read: SlopedReader, inputs: _Inputs, observables: Sequence[Observable], all_observables: int
) -> tuple[SlopedProgram, Differentiated]:
    with run.stopwatch.reading():
        found = read(inputs)
    require_qubits(found.program.declared_qubits, run.spec)
    sizes = {name: len(variables) for name, variables in found.variables.items()}
    check_gradients(sizes, all_observables, run.limits)
    with run.stopwatch.simulating():
        options = run.spec.options
        return found, run.simulator.differentiate(found.program, found.sloped, observables, options)

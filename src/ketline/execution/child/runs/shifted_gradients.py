"""Computes gradients with noise, on devices, or from shots, by the parameter-shift rule; for a sweep at each point."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ketline.domain.errors import GradientInvalid, ObservablesInvalid, ProgramUnsupported
from ketline.domain.results.gradients import GradientMethod, GradientsAtPoint
from ketline.domain.results.observable import Observable
from ketline.domain.results.observables import observables_at
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.quota_checks import require_qubits
from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.domain.tasks.sweep import first_point, seed_at
from ketline.execution.child.inspection import Planned
from ketline.execution.child.profile import profile_of
from ketline.execution.child.reader import ProgramReader, observed_by
from ketline.execution.child.result_size import check_gradients, check_values
from ketline.execution.child.runs.context import RunContext, noise_model_of
from ketline.execution.child.runs.derivatives import by_input, errors_by_input
from ketline.execution.circuit.operations import Step
from ketline.execution.frontend.program import Program
from ketline.execution.frontend.sloped_programs import SlopedProgram
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from ketline.execution.simulators.aer import Expectation, Simulator
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.ensembles import is_unitary
from ketline.execution.simulators.estimation import Estimator, planned_run
from ketline.execution.simulators.gradients import Found, named_evaluations, named_shift_gradient, with_numbers

# The largest accepted difference between two computations of the same angle.
_ROUNDING = 1e-9


class _AtPoint(NamedTuple):
    program: Program
    expectation: Expectation
    gradients: GradientsAtPoint
    errors: GradientsAtPoint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """Finds the values of observables after steps of a program: exact ones, or estimates from shots of their own."""

    run: RunContext
    estimator: Estimator
    program: Program
    observables: Sequence[Observable]
    noise: NoiseModel | None
    options: RunOptions

    def expectation(self, steps: Sequence[Step], number: int) -> Expectation:
        """The values after the steps; each evaluation `number` has a different seed."""
        program = replace(self.program, lowered=with_numbers(self.program.lowered, steps))
        if not self.options.sampled:
            return self.run.simulator.expect(program, self.observables, self.options.method, self.noise)
        seed = None if self.options.seed is None else derived_seed(self.options.seed, "shift", number)
        shots, options = self.run.spec.shots, replace(self.options, seed=seed, gradient=None)
        return self.estimator.estimate(program, self.observables, shots, options, self.noise)

    def found(self, steps: Sequence[Step], number: int) -> Found:
        """The result of `expectation`, as arrays."""
        found = self.expectation(steps, number)
        return Found(np.array(found.values), None if found.errors is None else np.array(found.errors))


def is_shifted(options: RunOptions) -> bool:
    """Whether a gradient is that of values with noise or on a device, or of estimates."""
    return options.sampled or options.noise is not None or options.device is not None


def compute_shifted_gradients(run: RunContext) -> RunResult:
    """Find the value of each observable and its derivatives by the inputs, with noise or from shots."""
    requested = observables_at(run.spec.options.observables, run.points or 1)
    total = sum(map(len, requested))
    check_values(2 * total if run.spec.options.sampled else total, run.limits)
    with run.stopwatch.reading():
        _require_possible(run.spec.options)
        noise = run.noise_model()
        read = run.reader.sloped(run.request)
        is_compared = noise is not None and run.spec.options.device is None
        plain = run.reader.at_points(run.request, observed_by(run.request)) if is_compared else None
    estimator = Estimator(run.simulator)
    found: list[_AtPoint] = []
    for number, (inputs, observables) in enumerate(zip(run.inputs(), requested, strict=True)):
        with run.at_point(number):
            with run.stopwatch.reading():
                sloped = read(inputs)
            require_qubits(sloped.program.declared_qubits, run.spec)
            _require_gates_only(sloped.program)
            if plain is not None:
                with run.stopwatch.reading():
                    _require_same_gates(sloped, plain(inputs))
            sizes = {name: len(variables) for name, variables in sloped.variables.items()}
            check_gradients(sizes, total * (2 if run.spec.options.sampled else 1), run.limits)
            options = run.spec.options
            if run.points is not None:
                options = replace(options, seed=seed_at(options.seed, number))
            values = _Values(
                run=run,
                estimator=estimator,
                program=sloped.program,
                observables=observables,
                noise=noise,
                options=options,
            )
            with run.stopwatch.simulating():
                found.append(_at_point(values, sloped, inputs))
    return _result(run, found)


def _at_point(values: _Values, sloped: SlopedProgram, inputs: Any) -> _AtPoint:
    evaluations = named_evaluations(sloped.sloped)
    bases = len(values.estimator.sums_of(values.observables, sloped.program).bases) if values.options.sampled else 1
    values.run.simulator.repeat((values.run.points or 1) * max(1, bases) * (1 + evaluations))
    expectation = values.expectation(sloped.sloped.steps, 0)
    gradient = named_shift_gradient(sloped.sloped, values.found, len(values.observables))
    angles = len(sloped.sloped.angles)
    reason = f"the parameter-shift rule for {angles} angles, {evaluations} evaluations: {expectation.reason}"
    errors = None if gradient.errors is None else errors_by_input(sloped, gradient.errors, inputs)
    if errors is None and values.options.sampled:
        errors = errors_by_input(sloped, np.zeros_like(gradient.slopes), inputs)
    shown = expectation._replace(reason=reason)
    return _AtPoint(sloped.program, shown, by_input(sloped, gradient.slopes, inputs), errors)


def _result(run: RunContext, found: Sequence[_AtPoint]) -> RunResult:
    first, sampled = found[0], run.spec.options.sampled

    def of_points(part: Callable[[_AtPoint], Any]) -> Any:
        parts = list(map(part, found))
        return parts if run.points is not None else parts[0]

    return RunResult(
        counts={},
        shots=run.spec.shots,
        profile=profile_of(first.program, first.expectation, run.stopwatch),
        expectation_values=of_points(lambda one: list(one.expectation.values)),
        standard_errors=of_points(lambda one: list(one.expectation.errors or ())) if sampled else None,
        gradients=of_points(lambda one: one.gradients),
        gradient_standard_errors=of_points(lambda one: one.errors) if sampled else None,
    )


def planned_shifts(
    request: Request, reader: ProgramReader, simulator: Simulator, limits: ExecutionLimits
) -> tuple[Program, Callable[[], Planned]]:
    """The program of a request, at the first point of a sweep, and what plans the evaluations of its gradient."""
    options = request.spec.options
    _require_possible(options)
    noise = noise_model_of(request, reader, simulator)
    sloped = reader.sloped(request)(first_point(request.spec.inputs))
    program = replace(sloped.program, lowered=with_numbers(sloped.program.lowered, sloped.sloped.steps))

    def plan() -> Planned:
        _require_gates_only(program)
        one = planned_run(program, request.spec, noise, limits.max_operations)
        choice = simulator.plan(one.program, one.shots, one.options, noise)
        return Planned(choice, one.program, one.shots, one.repeats * (1 + named_evaluations(sloped.sloped)))

    return program, plan


def _require_same_gates(sloped: SlopedProgram, plain: Program) -> None:
    """Compare the gates with those of the task without a gradient, to which errors attach.

    Raises:
        GradientInvalid: some are written in others where their angles are open.
    """
    if not plain.lowered.has_control_flow and _are_equal(sloped.sloped.steps, plain.lowered.steps):
        return
    raise GradientInvalid(
        "with noise, a gate of this program is written in other gates while its angles are open than with numbers, and "
        "would have other errors: write controlled gates and powers in gates on one or two qubits"
    )


def _are_equal(steps: Sequence[Step], others: Sequence[Step]) -> bool:
    return len(steps) == len(others) and all(
        (name, list(qubits)) == (other, list(operands)) and np.allclose(parameters, numbers, rtol=0, atol=_ROUNDING)
        for (name, qubits, _, parameters, _), (other, operands, _, numbers, _) in zip(steps, others, strict=True)
    )


def _require_possible(options: RunOptions) -> None:
    assert options.gradient is not None
    if options.gradient.method is GradientMethod.ADJOINT:
        raise ProgramUnsupported(
            "the adjoint method differentiates one pure state exactly: with noise, shots or a device choose "
            "'parameter_shift'"
        )
    if options.mitigation is not None:
        raise ProgramUnsupported("gradients of mitigated values are not supported: leave one of the two out")


def _require_gates_only(program: Program) -> None:
    if not is_unitary(program.lowered):
        raise ObservablesInvalid(
            "gradients are those of programs of gates only, and this program measures, resets or branches: leave that "
            "out, or the gradient"
        )

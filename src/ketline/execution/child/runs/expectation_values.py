"""Computes or estimates the expectation values of observables, for a sweep at each point."""

import math
from collections.abc import Sequence
from dataclasses import replace

from ketline.domain.errors import ObservablesInvalid
from ketline.domain.results.observable import Observable
from ketline.domain.results.observables import observables_at
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.quota_checks import require_qubits
from ketline.domain.tasks.spec import RunOptions
from ketline.domain.tasks.sweep import seed_at
from ketline.execution.child.profile import profile_of
from ketline.execution.child.reader import observed_by
from ketline.execution.child.result_size import check_values
from ketline.execution.child.runs.context import RunContext, prepared_for
from ketline.execution.child.runs.zero_noise import Mitigated, without_noise
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Expectation
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.estimation import Estimator


def compute_expectation_values(run: RunContext) -> RunResult:
    """Find the values of each observable at the end of the program, over all outcomes of its measurements."""
    spec = run.spec
    requested = observables_at(spec.options.observables, run.points or 1)
    zne = None if spec.options.mitigation is None else spec.options.mitigation.zne
    scales = 1 if zne is None else 1 + len(zne.scale_factors)
    numbers = sum(map(len, requested)) * scales * (2 if spec.options.sampled else 1)
    check_values(numbers, run.limits)
    with run.stopwatch.reading():
        noise = run.noise_model()
        read = run.reader.loader(run.request, observed_by(run.request))
    estimator = Estimator(run.simulator, run.calibration(noise))
    runs: list[tuple[Program, Mitigated]] = []
    for number, (inputs, observables) in enumerate(zip(run.inputs(), requested, strict=True)):
        with run.at_point(number):
            with run.stopwatch.reading():
                program = prepared_for(read(inputs), noise)
            require_qubits(program.declared_qubits, spec)
            bases = len(estimator.sums_of(observables, program).bases) if spec.options.sampled else 1
            run.simulator.repeat((run.points or 1) * max(1, bases) * max(1, scales - 1))
            with run.stopwatch.simulating():
                found = _values(run, estimator, program, observables, noise, number)
        runs.append((program, found) if not runs else (runs[0][0], found))
    values = [found.expectation.values for _, found in runs]
    errors = [found.expectation.errors for _, found in runs if found.expectation.errors is not None]
    extrapolations = [found.extrapolation for _, found in runs]
    _require_finite([*values, *errors])
    first_program, first = runs[0]
    return RunResult(
        counts={},
        shots=spec.shots,
        profile=profile_of(first_program, first.expectation, run.stopwatch),
        mitigation=None if zne is None else {"zne": extrapolations if run.points is not None else extrapolations[0]},
        expectation_values=values[0] if run.points is None else values,
        standard_errors=None if not errors else errors[0] if run.points is None else errors,
    )


def _values(
    run: RunContext,
    estimator: Estimator,
    program: Program,
    observables: Sequence[Observable],
    noise: NoiseModel | None,
    number: int,
) -> Mitigated:
    """The values at a point: exact, or estimates; each point of a sweep has a different seed."""
    options = run.spec.options
    if run.points is not None:
        options = replace(options, seed=seed_at(options.seed, number))

    def find(program: Program, options: RunOptions) -> Expectation:
        if not options.sampled:
            return run.simulator.expect(program, observables, options.method, noise)
        return estimator.estimate(program, observables, run.spec.shots, options, noise)

    if options.mitigation is None or options.mitigation.zne is None:
        return Mitigated(find(program, options))
    return without_noise(program, observables, options, options.mitigation.zne, find, run.limits.max_operations)


def _require_finite(rows: Sequence[Sequence[float]]) -> None:
    if not all(math.isfinite(value) for row in rows for value in row):
        raise ObservablesInvalid("a value is beyond the numbers that a result can have: use smaller coefficients")

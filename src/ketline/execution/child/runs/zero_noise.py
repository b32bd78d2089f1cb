"""Extrapolates expectation values at several noise strengths to zero noise."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ketline.domain.results.mitigation import ZeroNoise
from ketline.domain.results.observable import Observable
from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Expectation
from ketline.execution.simulators.estimation import Limit, extrapolated, folded_programs, with_calibration

Find = Callable[[Program, RunOptions], Expectation]


class Mitigated(NamedTuple):
    """Values and, if extrapolated, the data of the extrapolation in the format of a task's result."""

    expectation: Expectation
    extrapolation: Mapping[str, object] | None = None


def without_noise(
    program: Program,
    observables: Sequence[Observable],
    options: RunOptions,
    zne: ZeroNoise,
    find: Find,
    max_operations: int,
) -> Mitigated:
    """The values of observables, extrapolated to zero noise from the values that `find` returns for folded programs.

    Raises:
        ProgramUnsupported, ProgramTooLarge: the program cannot be folded, or as `find` does.
    """
    programs = folded_programs(program, zne, max_operations)
    found = [find(one.program, _of_scale(options, number)) for number, one in enumerate(programs)]
    factors = [one.scale_factor for one in programs]
    none = [0.0] * len(observables)
    of_shots = [one.errors or none if one.calibration is None else one.calibration.of_shots for one in found]
    limits = [
        extrapolated(
            factors,
            [one.values[number] for one in found],
            [errors[number] for errors in of_shots],
            zne,
            _mixed_value(observable) if zne.asymptote is None else zne.asymptote,
        )
        for number, observable in enumerate(observables)
    ]
    first, sampled = found[0], found[0].errors is not None
    shown = ", ".join(f"{factor:g}" for factor in factors)
    expectation = first._replace(
        values=[limit.value for limit in limits],
        errors=_errors(limits, found) if sampled else None,
        reason=f"extrapolated to no noise from the scale factors {shown}: {first.reason}",
    )
    errors = {"standard_errors": [list(one.errors or none) for one in found]} if sampled else {}
    curves = [limit.curve.value for limit in limits]
    values = [list(one.values) for one in found]
    return Mitigated(expectation, {"scale_factors": factors, "values": values, **errors, "curves": curves})


def _errors(limits: Sequence[Limit], found: Sequence[Expectation]) -> Sequence[float]:
    """The standard errors of limits; the measured readout errors, if there are some, are the same at all factors."""
    shared: dict[tuple[int, int], Any] = defaultdict(lambda: np.zeros(len(limits)))
    for scale, one in enumerate(found):
        slopes = np.array([limit.slopes[scale] for limit in limits])
        for reading, changes in ({} if one.calibration is None else one.calibration.by_reading).items():
            shared[reading] += slopes * changes
    errors: Sequence[float] = with_calibration([limit.error for limit in limits], shared.values()).tolist()
    return errors


def _of_scale(options: RunOptions, number: int) -> RunOptions:
    """The options with a different seed for each scale factor."""
    seed = None if options.seed is None else derived_seed(options.seed, "scale", number)
    return replace(options, seed=seed)


def _mixed_value(observable: Observable) -> float:
    """The value in the maximally mixed state: the coefficient of the identity."""
    return sum(factor for label, factor in observable.items() if not label.strip("I"))

"""Zero-noise extrapolation of expectation values: finds them at several strengths of noise, and what they lead to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ketline.domain.mitigation import ZeroNoise
from ketline.domain.seeds import derived_seed
from ketline.domain.spec import Observable, RunOptions
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Expectation
from ketline.execution.simulators.estimation import extrapolated, folded_programs

Find = Callable[[Program, RunOptions], Expectation]


class Mitigated(NamedTuple):
    """Values, and with an extrapolation what they were extrapolated from, as the result of a task has it."""

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
    """The values of observables, extrapolated to no noise from those that `find` gives of folded programs.

    Raises:
        ProgramUnsupported, ProgramTooLarge: the program cannot be folded, or as `find` does.
    """
    programs = folded_programs(program, zne, max_operations)
    found = [find(one.program, _of_scale(options, number)) for number, one in enumerate(programs)]
    factors = [one.scale_factor for one in programs]
    none = [0.0] * len(observables)
    limits = [
        extrapolated(
            factors,
            [one.values[number] for one in found],
            [(one.errors or none)[number] for one in found],
            zne,
            _mixed_value(observable) if zne.asymptote is None else zne.asymptote,
        )
        for number, observable in enumerate(observables)
    ]
    first, sampled = found[0], found[0].errors is not None
    shown = ", ".join(f"{factor:g}" for factor in factors)
    expectation = first._replace(
        values=[limit.value for limit in limits],
        errors=[limit.error for limit in limits] if sampled else None,
        reason=f"extrapolated to no noise from the scale factors {shown}: {first.reason}",
    )
    errors = {"standard_errors": [list(one.errors or none) for one in found]} if sampled else {}
    curves = [limit.curve.value for limit in limits]
    values = [list(one.values) for one in found]
    return Mitigated(expectation, {"scale_factors": factors, "values": values, **errors, "curves": curves})


def _of_scale(options: RunOptions, number: int) -> RunOptions:
    """With random numbers of its own for each scale factor."""
    seed = None if options.seed is None else derived_seed(options.seed, "scale", number)
    return replace(options, seed=seed)


def _mixed_value(observable: Observable) -> float:
    """The value in the maximally mixed state: the coefficient of the identity."""
    return sum(factor for label, factor in observable.items() if not label.strip("I"))

"""Derivatives with respect to inputs, computed from those with respect to angles. Used by the runs of gradients."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ketline.domain.errors import GradientInvalid
from ketline.domain.results.gradients import Derivatives, GradientsAtPoint
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.frontend.sloped_programs import SlopedProgram

_Inputs = Mapping[str, InputValue]


def by_input(read: SlopedProgram, slopes: Any, inputs: _Inputs) -> GradientsAtPoint:
    """The derivatives of each observable with respect to the inputs; `slopes`, float64, are those by angle.

    Raises:
        GradientInvalid: a derivative is not finite.
    """
    return _named(read, _summed(read, slopes, 1), inputs)


def errors_by_input(read: SlopedProgram, errors: Any, inputs: _Inputs) -> GradientsAtPoint:
    """The standard errors of derivatives with respect to inputs, from independent ones with respect to angles.

    Raises:
        GradientInvalid: a standard error is not finite.
    """
    return _named(read, np.sqrt(_summed(read, errors**2, 2)), inputs)


def _summed(read: SlopedProgram, of_angles: Any, power: int) -> Any:
    """The sums over angles of the values of each, times this power of the angle's slope by each variable."""
    total = np.zeros((len(of_angles), sum(map(len, read.variables.values()))))
    for number, angle in enumerate(read.sloped.angles):
        for variable, slope in angle.slopes.items():
            total[:, variable] += slope**power * of_angles[:, number]
    return total


def _named(read: SlopedProgram, total: Any, inputs: _Inputs) -> GradientsAtPoint:
    if not np.isfinite(total).all():
        raise GradientInvalid("a derivative is not a finite number for these values of the inputs")
    return [
        {name: _shaped(inputs[name], iter(row[list(variables)].tolist())) for name, variables in read.variables.items()}
        for row in total
    ]


def _shaped(value: Any, derivatives: Iterator[float]) -> Derivatives:
    """Arrange derivatives in the shape of an input's value."""
    if isinstance(value, Mapping):
        value = value["array"]
    return [_shaped(element, derivatives) for element in value] if isinstance(value, Sequence) else next(derivatives)

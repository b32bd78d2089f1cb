"""The parameter-shift rule: derivatives by angles from expectation values at shifted angles.

A gate whose generator has eigenvalues i r with differences of 1 takes two shifts, one with 0 and 1/2 as well, such as a
controlled rotation, four. Sources: M. Schuld et al., Phys. Rev. A 99, 032331 (2019); G.-L. R. Anselmetti et al., New J.
Phys. 23, 113010 (2021), for four.
"""

from collections.abc import Callable, Sequence
from math import pi, sqrt
from typing import Any

import numpy as np

from ketline.domain.circuits.unitaries import Rotation
from ketline.execution.circuit.derivatives.slopes import SlopedAngle, SlopedSteps
from ketline.execution.circuit.operations import Step
from ketline.execution.simulators.gradients.adjoint import AngleGradients
from ketline.execution.simulators.gradients.generators import GATES, generator_of

# Shifts of an angle, each with the factor of the expectation value there.
_Rule = Sequence[tuple[float, float]]
_TWO: _Rule = ((pi / 2, 0.5), (-pi / 2, -0.5))
_LARGE, _SMALL = (sqrt(2) + 1) / (4 * sqrt(2)), (sqrt(2) - 1) / (4 * sqrt(2))
_FOUR: _Rule = ((pi / 2, _LARGE), (-pi / 2, -_LARGE), (3 * pi / 2, -_SMALL), (-3 * pi / 2, _SMALL))
_ROUNDING = 1e-9


def shifted_gradients(
    sloped: SlopedSteps, values_of: Callable[[Sequence[Step]], Sequence[float]], observables: int
) -> AngleGradients:
    """As `adjoint_gradients`; `values_of` gives the expectation values after steps.

    Raises:
        ProgramUnsupported: a gate with an open angle has no derivative.
    """
    values = values_of(sloped.steps)
    slopes = np.zeros((observables, len(sloped.angles)))
    for number, angle in enumerate(sloped.angles):
        for place, factor in _places(sloped.steps[angle.step], angle.place):
            slopes[:, number] += factor * _slope(sloped.steps, SlopedAngle(angle.step, place, {}), values_of)
    return AngleGradients(values, slopes)


def evaluations(sloped: SlopedSteps) -> int:
    """How many times `values_of` is called."""
    rules = [
        _rule_of(_plain(sloped.steps[angle.step]), place)
        for angle in sloped.angles
        for place, _ in _places(sloped.steps[angle.step], angle.place)
    ]
    return 1 + sum(map(len, rules))


def _slope(steps: Sequence[Step], angle: SlopedAngle, values_of: Callable[[Sequence[Step]], Sequence[float]]) -> Any:
    gate = _plain(steps[angle.step])
    total: Any = 0.0
    for shift, factor in _rule_of(gate, angle.place):
        name, qubits, bits, parameters, source = gate
        shifted = list(parameters)
        shifted[angle.place] += shift
        moved = list(steps)
        moved[angle.step] = name, qubits, bits, shifted, source
        total = total + factor * np.array(values_of(moved))
    return total


def _plain(step: Step) -> Step:
    """A rotation by U with its three angles: no rule holds for angles that enter several of them."""
    name, qubits, bits, parameters, source = step
    gate = GATES[name]
    if not (isinstance(gate.unitary, Rotation) and gate.qubits == 1):
        return step
    return "u", qubits, bits, list(gate.unitary.angles(*parameters)), source


def _places(step: Step, place: int) -> Sequence[tuple[int, float]]:
    """The places of an angle among those of the plain gate, each with the slope of that angle."""
    name, _, _, parameters, _ = step
    gate = GATES[name]
    if not (isinstance(gate.unitary, Rotation) and gate.qubits == 1):
        return [(place, 1.0)]
    count, angles = len(parameters), gate.unitary.angles
    unit = [float(number == place) for number in range(count)]
    slopes = np.subtract(angles(*unit), angles(*[0.0] * count))
    return [(number, float(slope)) for number, slope in enumerate(slopes) if slope]


def _rule_of(step: Step, place: int) -> _Rule:
    """The rule for the spectrum of a gate's generator, which is 0 where a control is 0."""
    generator = generator_of(step, place)
    levels = [*np.linalg.eigvalsh(-1j * generator.matrix), *([0.0] if generator.controls else [])]
    half = any(abs(one - other - 0.5) < _ROUNDING for one in levels for other in levels)
    return _FOUR if half else _TWO

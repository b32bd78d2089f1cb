"""The parameter-shift rule for gates that keep their names: with noise, errors attach to them by name.

As a function of one angle of a gate, an expectation value is a trigonometric polynomial whose degree is the largest
difference of eigenvalues of the angle's generator. That holds with noise too: channels that do not depend on the angle
are linear maps before and after the gate. Source: D. Wierichs et al., Quantum 6, 677 (2022), section 3 (equidistant
frequencies).
"""

from collections.abc import Callable, Sequence
from math import pi, sin
from typing import Any, NamedTuple

import numpy as np
from qiskit.circuit import CircuitInstruction
from qiskit.circuit.library import get_standard_gate_name_mapping

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.circuit.derivatives.slopes import SlopedAngle, SlopedSteps
from ketline.execution.circuit.operations import Step
from ketline.execution.circuit.passes.light_cone import rebuilt
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.plain import plain_of

_LIBRARY = get_standard_gate_name_mapping()
# The angle of the axis of `r` turns the state forth and back, so that its differences of eigenvalues add up to 2.
_DEGREE_OF_TWO = frozenset({("r", 1)})


class Found(NamedTuple):
    """Expectation values, and their standard errors if they are estimates; float64 of shape (observables,)."""

    values: Any
    errors: Any | None


class ShiftedGradient(NamedTuple):
    """Derivatives, of shape (observables, angles), and their standard errors if values are estimates."""

    slopes: Any
    errors: Any | None


# The values after steps; the number, from 1, tells evaluations apart.
ValuesOf = Callable[[Sequence[Step], int], Found]


def named_shift_gradient(sloped: SlopedSteps, values_of: ValuesOf, observables: int) -> ShiftedGradient:
    """The derivatives of expectation values by the open angles of steps, from values at shifted angles."""
    slopes = np.zeros((observables, len(sloped.angles)))
    variances = np.zeros_like(slopes)
    evaluation, sampled = 0, False
    for number, angle in enumerate(sloped.angles):
        for shift, factor in _rule_of(sloped, angle):
            evaluation += 1
            found = values_of(_shifted(sloped.steps, angle, shift), evaluation)
            slopes[:, number] += factor * np.asarray(found.values)
            if found.errors is not None:
                sampled = True
                variances[:, number] += (factor * np.asarray(found.errors)) ** 2
    return ShiftedGradient(slopes, np.sqrt(variances) if sampled else None)


def named_evaluations(sloped: SlopedSteps) -> int:
    """How many times `values_of` is called."""
    return sum(len(_rule_of(sloped, angle)) for angle in sloped.angles)


def with_numbers(lowered: Lowered, steps: Sequence[Step]) -> Lowered:
    """A circuit with these steps instead of its own, whose angles may be expressions; they have numbers.

    Raises:
        ProgramUnsupported: a gate with an open angle is none of the library's.
    """
    circuit = rebuilt(lowered.circuit, range(lowered.num_qubits), [_with_gate(step) for step in steps])
    return Lowered(plain_of(circuit), lowered.operations, kept_qubits=lowered.kept_qubits)


def _with_gate(step: Step) -> Step:
    name, qubits, bits, parameters, _ = step
    if not parameters or name == "unitary":
        return step
    if name not in _LIBRARY:
        raise ProgramUnsupported(f"'{name}' with an angle that depends on inputs has no derivative with noise or shots")
    gate = _LIBRARY[name].base_class(*parameters)
    return name, qubits, bits, parameters, CircuitInstruction(gate, (), ())


def _shifted(steps: Sequence[Step], angle: SlopedAngle, shift: float) -> Sequence[Step]:
    moved = list(steps)
    name, qubits, bits, parameters, source = steps[angle.step]
    shifted = list(parameters)
    shifted[angle.place] += shift
    moved[angle.step] = name, qubits, bits, shifted, source
    return moved


def _rule_of(sloped: SlopedSteps, angle: SlopedAngle) -> Sequence[tuple[float, float]]:
    """Shifts of an angle, each with the factor of the value there."""
    degree = 2 if (sloped.steps[angle.step][0], angle.place) in _DEGREE_OF_TWO else 1
    points = [(2 * number + 1) * pi / (2 * degree) for number in range(2 * degree)]
    return [(shift, (-1) ** number / (4 * degree * sin(shift / 2) ** 2)) for number, shift in enumerate(points)]

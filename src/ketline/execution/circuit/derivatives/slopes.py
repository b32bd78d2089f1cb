"""Steps whose angles have derivatives with respect to the inputs of a program, for the gradients of a task."""

from collections.abc import Callable, Mapping, Sequence
from math import isclose, isfinite
from typing import Any, NamedTuple

from qiskit.circuit import Parameter, ParameterExpression
from qiskit.circuit.exceptions import CircuitError

from ketline.domain.errors import GradientInvalid, ProgramInvalid
from ketline.execution.circuit.derivatives.binding import settled
from ketline.execution.circuit.derivatives.dual import Dual, value_of
from ketline.execution.circuit.derivatives.expressions import Numbers, evaluated
from ketline.execution.circuit.operations import Step

# The value of an angle for numbers of what it depends on.
Formula = Callable[[Numbers], Any]
_LIBRARY_ERRORS = (RuntimeError, ArithmeticError, TypeError, ValueError, CircuitError)
_ROUNDING = 1e-6


class SlopedAngle(NamedTuple):
    """An angle that depends on inputs: the step and its place among the parameters; slopes by number of the input."""

    step: int
    place: int
    slopes: Mapping[int, float]


class SlopedSteps(NamedTuple):
    """Steps with numbers as parameters, and the angles among these that have derivatives, in order."""

    steps: Sequence[Step]
    angles: Sequence[SlopedAngle]


class StepFormulas:
    """Steps whose angles are expressions, prepared for any number of points; equal expressions are evaluated once."""

    def __init__(self, steps: Sequence[Step], formula_of: Callable[[Any], Formula]) -> None:
        """`formula_of` gives the formula of a parameter that is no number."""
        self._steps = list(steps)
        self._open: list[tuple[int, int, int]] = []
        places: dict[Any, int] = {}
        for position, (name, qubits, bits, written, source) in enumerate(steps):
            if not any(map(_is_open, written)):
                continue
            parameters = list(map(settled, written))
            self._steps[position] = name, qubits, bits, parameters, source
            for place, parameter in enumerate(parameters):
                if _is_open(parameter):
                    self._open.append((position, place, places.setdefault(parameter, len(places))))
        self._formulas = [formula_of(parameter) for parameter in places]

    def at(self, numbers: Numbers) -> SlopedSteps:
        """The steps for these numbers.

        Raises:
            GradientInvalid: an angle has no derivative there.
            ProgramInvalid: an angle is no finite number.
        """
        values = [formula(numbers) for formula in self._formulas]
        if not all(isfinite(value_of(value)) for value in values):
            raise ProgramInvalid("an angle is not a finite number")
        steps, angles = self._steps.copy(), []
        for position, place, number in self._open:
            name, qubits, bits, parameters, source = steps[position]
            filled = list(parameters)
            filled[place] = value_of(values[number])
            steps[position] = name, qubits, bits, filled, source
            if isinstance(value := values[number], Dual):
                angles.append(SlopedAngle(position, place, value.slopes))
        return SlopedSteps(steps, angles)


def _is_open(parameter: Any) -> bool:
    return isinstance(parameter, ParameterExpression) or callable(parameter)


def expression_formula(expression: ParameterExpression) -> Formula:
    """The formula of an expression of Qiskit's parameters, which numbers are given for by name."""
    if isinstance(expression, Parameter):
        name = expression.name
        return lambda numbers: numbers[name]
    parameters = [parameter.name for parameter in expression.parameters]

    def formula(numbers: Numbers) -> Any:
        value = _bound(expression, numbers)
        if not any(isinstance(numbers[name], Dual) for name in parameters):
            return value
        return Dual(value, _slopes(expression, numbers, value))

    return formula


def _slopes(expression: ParameterExpression, numbers: Numbers, value: float) -> Mapping[int, float]:
    """The derivatives of an expression, computed along with its value, which must be what Qiskit gives."""
    name = min(parameter.name for parameter in expression.parameters)[:40]
    try:
        found = evaluated(expression, numbers)
    except GradientInvalid as error:
        raise GradientInvalid(f"in an expression of parameter '{name}': {error.message}") from error
    except (ArithmeticError, TypeError, ValueError) as error:
        raise GradientInvalid(f"an expression of parameter '{name}' has no derivative here") from error
    if not isclose(value_of(found), value, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
        raise GradientInvalid(f"an expression of parameter '{name}' is too imprecise here for a derivative")
    return found.slopes if isinstance(found, Dual) else {}


def _bound(expression: ParameterExpression, numbers: Numbers) -> float:
    values = {one: value_of(numbers[one.name]) for one in expression.parameters}
    try:
        found = expression.bind(values).numeric()
    except _LIBRARY_ERRORS as error:
        raise GradientInvalid("an angle has no value for these parameters") from error
    if isinstance(found, complex):
        raise GradientInvalid("an angle is not a real number for these parameters")
    return float(found)

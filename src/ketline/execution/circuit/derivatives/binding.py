"""Puts numbers for the parameters into the steps of a circuit; `frontend/program.py` calls it for points of sweeps.

Qiskit's `assign_parameters` copies the circuit and all of its instructions for each point.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from qiskit.circuit import CircuitInstruction, Parameter, ParameterExpression

from ketline.execution.circuit.derivatives.expressions import linear_terms
from ketline.execution.circuit.library import kind_of
from ketline.execution.circuit.operations import Step

# From the numbers of the parameters, by name, to that of an angle. The scanner writes such functions as parameters.
_Formula = Callable[[Mapping[str, float]], float]


class _Gate(NamedTuple):
    """A gate with parameters: where it is among the steps, and where its angles are among all values."""

    position: int
    values: Sequence[int]


class StepTemplate:
    """Steps whose angles are expressions of parameters; an expression that occurs often is evaluated once."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """The gates with parameters must be standard gates of Qiskit's, see `template_of`."""
        self._steps = list(steps)
        self._gates: list[_Gate] = []
        places: dict[Any, int] = {}
        constants: list[float] = []
        for position, (name, qubits, bits, written, source) in enumerate(steps):
            if not any(map(_is_open, written)):
                continue
            parameters = list(map(settled, written))
            self._gates.append(_Gate(position, [_place(parameter, places, constants) for parameter in parameters]))
            self._steps[position] = name, qubits, bits, (), _kind_in(source)
        self._formulas = list(map(_formula_of, places))
        self._constants = constants[::-1]

    def values(self, numbers: Mapping[str, float]) -> list[float]:
        """The values of all expressions and constants, where the parameters, by name, have these.

        Raises:
            TypeError, ArithmeticError, CircuitError: an expression has no real value.
        """
        return [*[formula(numbers) for formula in self._formulas], *self._constants]

    def steps(self, values: Sequence[float]) -> list[Step]:
        """The steps with these values."""
        steps = self._steps.copy()
        for position, places in self._gates:
            name, qubits, bits, _, source = steps[position]
            steps[position] = name, qubits, bits, [values[place] for place in places], source
        return steps


def template_of(steps: Sequence[Step]) -> StepTemplate | None:
    """The template of steps; None if a parameter is elsewhere than in a standard gate of Qiskit's."""
    return StepTemplate(steps) if all(map(_is_bindable, steps)) else None


def settled(parameter: Any) -> Any:
    """A parameter; as a number if it is an expression whose parameters cancel out.

    Qiskit 2.6 cannot hash an expression that is a negative number.
    """
    try:
        hash(parameter)
    except OverflowError:
        return float(parameter.bind(dict.fromkeys(parameter.parameters, 0.0)).numeric())
    return parameter


def _is_bindable(step: Step) -> bool:
    _, _, _, parameters, source = step
    if not isinstance(source, CircuitInstruction) or source.is_standard_gate():
        return True
    return not source.is_control_flow() and not any(isinstance(one, ParameterExpression) for one in parameters)


def _is_open(parameter: Any) -> bool:
    return isinstance(parameter, ParameterExpression) or callable(parameter)


def _kind_in(source: Any) -> Any:
    return kind_of(source.operation) if isinstance(source, CircuitInstruction) else source


def _place(parameter: Any, places: dict[Any, int], constants: list[float]) -> int:
    """Where the value of a parameter of a gate will be: those of expressions first, constants from the end on."""
    if _is_open(parameter):
        return places.setdefault(parameter, len(places))
    constants.append(float(parameter))
    return -len(constants)


def _formula_of(expression: Any) -> _Formula:
    if isinstance(expression, Parameter):
        return itemgetter(expression.name)
    if isinstance(expression, ParameterExpression):
        return _linear(expression) or _any_formula(expression)
    formula: _Formula = expression
    return formula


def _linear(expression: ParameterExpression) -> _Formula | None:
    """The formula of an expression that is a sum of multiples of its parameters; None for any other."""
    if (found := linear_terms(expression)) is None:
        return None
    offset, slopes = found
    terms = list(slopes.items())
    return lambda numbers: offset + sum([slope * numbers[name] for name, slope in terms])


def _any_formula(expression: ParameterExpression) -> _Formula:
    parameters = list(expression.parameters)
    return lambda numbers: float(expression.bind({one: numbers[one.name] for one in parameters}))

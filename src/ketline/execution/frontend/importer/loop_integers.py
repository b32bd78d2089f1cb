"""Integers that depend on the variables of circuit loops; `arithmetic.py` computes with them.

Qiskit has only real expressions of such a variable, so integers are evaluated for each iteration, and written as a real
expression that has exactly these values.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import Parameter, ParameterExpression

from ketline.domain.errors import ProgramUnsupported

_MAX_ITERATIONS = 4096
_MAX_TERMS = 256
_MAX_EXACT = 1 << 53  # up to here floats hold every integer


@dataclass(frozen=True, slots=True)
class LoopInteger:
    """An integer for every combination of the values of some loop variables.

    `variables` has the values of each variable, `table` the integer for each combination, the last variable changing
    fastest. `polynomial` is an expression of the variables with the same values, if there is one.
    """

    variables: Mapping[Parameter, Sequence[int]]
    table: tuple[int, ...]
    polynomial: ParameterExpression | None

    def expression(self) -> ParameterExpression | float:
        """A real expression of the variables that has the integer value in every iteration.

        Raises:
            ProgramUnsupported: the expression would be too long.
        """
        if self.polynomial is not None and max(map(abs, self.table), default=0) <= _MAX_EXACT:
            return self.polynomial
        if len(self.table) > _MAX_TERMS:
            raise ProgramUnsupported(
                f"in a loop that may be left early, integers are divided only for up to {_MAX_TERMS} iterations"
            )
        terms = zip(itertools.product(*self.variables.values()), self.table, strict=True)
        return sum((value * self._iteration_indicator(iteration) for iteration, value in terms if value), start=0.0)

    def _iteration_indicator(self, iteration: Sequence[int]) -> ParameterExpression | float:
        """An expression that is 1 in one iteration and 0 in the others."""
        factors = zip(self.variables.items(), iteration, strict=True)
        return math.prod((_indicator(variable, values, value) for (variable, values), value in factors), start=1.0)


def loop_variable(parameter: Parameter, values: Sequence[int]) -> LoopInteger:
    return LoopInteger({parameter: values}, tuple(values), parameter)


def combinations(operands: Sequence[Any]) -> tuple[Mapping[Parameter, Sequence[int]], Iterator[tuple[int, ...]]]:
    """The loop variables that integers and `LoopInteger`s depend on, and the operands for each combination of values.

    Raises:
        ProgramUnsupported: there are too many combinations.
    """
    variables: dict[Parameter, Sequence[int]] = {}
    for operand in operands:
        if isinstance(operand, LoopInteger):
            variables |= operand.variables
    if math.prod(map(len, variables.values())) > _MAX_ITERATIONS:
        raise ProgramUnsupported(
            f"numbers that take values for more than {_MAX_ITERATIONS} loop iterations are not supported"
        )
    return variables, zip(*(_column(operand, variables) for operand in operands), strict=True)


def polynomial(function: Callable[..., Any], operands: Sequence[Any]) -> ParameterExpression | None:
    """A sum, difference or product as an expression, if all operands are expressions."""
    forms = [one.polynomial if isinstance(one, LoopInteger) else one for one in operands]
    return None if any(form is None for form in forms) else function(*forms)


def _column(operand: Any, variables: Mapping[Parameter, Sequence[int]]) -> list[int]:
    """An operand's value for each combination of the values of these variables."""
    if not isinstance(operand, LoopInteger):
        return [operand] * math.prod(map(len, variables.values()))
    indices = [list(variables).index(variable) for variable in operand.variables]
    known = dict(zip(itertools.product(*operand.variables.values()), operand.table, strict=True))
    return [known[tuple(row[index] for index in indices)] for row in itertools.product(*variables.values())]


def _indicator(variable: Parameter, values: Sequence[int], value: int) -> ParameterExpression | float:
    """An expression of one variable that is 1 for this value and 0 for the others, which are all different."""
    below = max((one for one in values if one < value), default=None)
    above = min((one for one in values if one > value), default=None)
    if below is None and above is None:
        return 1.0
    lower = 1.0 if below is None else _sign(variable, below, value)
    upper = -1.0 if above is None else _sign(variable, value, above)
    return (lower - upper) / 2


def _sign(variable: Parameter, low: int, high: int) -> ParameterExpression:
    """-1 if the variable is at most `low`, 1 if it is at least `high`."""
    return (variable - (low + high) / 2).sign()

"""Integers that depend on the variables of loops which stay loops of the circuit.

Qiskit has only real expressions of such a variable, so what becomes of it is worked out for each turn as an integer and
written as a real expression that has exactly these values.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import Parameter, ParameterExpression

from ketline.domain.errors import ProgramUnsupported

_MOST_TURNS = 4096
_MOST_STEPS = 256
_LARGEST_EXACT = 1 << 53  # up to here floats hold every integer


@dataclass(frozen=True, slots=True)
class LoopInteger:
    """An integer for every combination of the values of some loop variables.

    `turns` has the values of each variable, `table` the integer for each combination, the last variable changing first.
    `polynomial` is an expression of the variables with the same values, where one is at hand.
    """

    turns: Mapping[Parameter, Sequence[int]]
    table: tuple[int, ...]
    polynomial: ParameterExpression | None

    def expression(self) -> ParameterExpression | float:
        """A real expression of the variables, in which every turn has the value that it has as an integer.

        Raises:
            ProgramUnsupported: it would be too long.
        """
        if self.polynomial is not None and max(map(abs, self.table), default=0) <= _LARGEST_EXACT:
            return self.polynomial
        if len(self.table) > _MOST_STEPS:
            raise ProgramUnsupported("integers are divided only in loops of few turns while the loop may be left early")
        terms = zip(itertools.product(*self.turns.values()), self.table, strict=True)
        return sum((value * self._indicator(turn) for turn, value in terms if value), start=0.0)

    def _indicator(self, turn: Sequence[int]) -> ParameterExpression | float:
        """An expression that is 1 in one turn and 0 in the others."""
        factors = zip(self.turns.items(), turn, strict=True)
        return math.prod((_indicator(variable, values, value) for (variable, values), value in factors), start=1.0)


def loop_variable(parameter: Parameter, values: Sequence[int]) -> LoopInteger:
    return LoopInteger({parameter: values}, tuple(values), parameter)


def combinations(operands: Sequence[Any]) -> tuple[Mapping[Parameter, Sequence[int]], Iterator[tuple[int, ...]]]:
    """The turns that integers and `LoopInteger`s depend on together, and what they are in each.

    Raises:
        ProgramUnsupported: there are too many.
    """
    turns: dict[Parameter, Sequence[int]] = {}
    for operand in operands:
        if isinstance(operand, LoopInteger):
            turns |= operand.turns
    if math.prod(map(len, turns.values())) > _MOST_TURNS:
        raise ProgramUnsupported(f"numbers that depend on more than {_MOST_TURNS} turns of loops are not supported")
    return turns, zip(*(_column(operand, turns) for operand in operands), strict=True)


def polynomial(function: Callable[..., Any], operands: Sequence[Any]) -> ParameterExpression | None:
    """What a sum, difference or product is as an expression, if all operands are at hand as such."""
    forms = [one.polynomial if isinstance(one, LoopInteger) else one for one in operands]
    return None if any(form is None for form in forms) else function(*forms)


def _column(operand: Any, turns: Mapping[Parameter, Sequence[int]]) -> list[int]:
    """An operand's value for each combination of the values of these variables."""
    if not isinstance(operand, LoopInteger):
        return [operand] * math.prod(map(len, turns.values()))
    places = [list(turns).index(variable) for variable in operand.turns]
    known = dict(zip(itertools.product(*operand.turns.values()), operand.table, strict=True))
    return [known[tuple(turn[place] for place in places)] for turn in itertools.product(*turns.values())]


def _indicator(variable: Parameter, values: Sequence[int], value: int) -> ParameterExpression | float:
    """An expression of one variable that is 1 where it has this value and 0 at the others, which all differ."""
    below = max((one for one in values if one < value), default=None)
    above = min((one for one in values if one > value), default=None)
    if below is None and above is None:
        return 1.0
    lower = 1.0 if below is None else _sign(variable, below, value)
    upper = -1.0 if above is None else _sign(variable, value, above)
    return (lower - upper) / 2


def _sign(variable: Parameter, low: int, high: int) -> ParameterExpression:
    """-1 where the variable is at most `low`, 1 where it is at least `high`."""
    return (variable - (low + high) / 2).sign()

"""The values that a `for` loop runs over, and whether an expression reads measured values; for `statements.py`."""

from collections.abc import Iterator
from typing import Any

from openqasm3 import ast

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.unroller.budget import Budget, error_location
from ketline.execution.frontend.unroller.expressions import Evaluator
from ketline.execution.frontend.unroller.kinds import INT, INTEGERS, Kind, Typed, convert, is_measured
from ketline.execution.frontend.unroller.memory import BitAlias, NameScopes, Variable
from ketline.execution.frontend.unroller.tree import parts_of
from ketline.execution.frontend.unroller.values import Measured, assuming, lift

Iteration = tuple[Any, Any]


def loop_iterations(node: Any, kind: Kind, evaluator: Evaluator, budget: Budget) -> Iterator[Iteration]:
    """Yield the iterations of a loop: whether the iteration takes place, and the value of the loop's variable in it.

    Source: OpenQASM 3 specification, "Classical instructions", section "For loops"; both ends of a range belong to it.
    """
    if isinstance(node, ast.RangeDefinition):
        values = _range(node, kind, evaluator)
        longest = max(map(len, values.table)) if isinstance(values, Measured) else len(values)
        with error_location(node):
            budget.step(longest)
        for index in range(longest):
            going = lift(lambda one, index=index: index < len(one), values)
            with assuming(going):
                number = lift(lambda one, index=index: one[index] if index < len(one) else 0, values)
                value = convert(Typed(INT, number), kind)
            yield going, value
    elif isinstance(node, ast.DiscreteSet):
        yield from [(True, evaluator.evaluate_as(one, kind)) for one in node.values]
    else:
        typed = evaluator.evaluate(node)
        if not isinstance(typed.value, tuple) or len(typed.kind.dimensions) > 1:
            with error_location(node):
                raise ProgramInvalid("only ranges, sets, registers of bits and arrays can be looped over")
        budget.step(len(typed.value))
        yield from ((True, convert(Typed(typed.kind.element, value), kind)) for value in typed.value)


def reads_measured(node: Any, scopes: NameScopes) -> bool:
    """Whether an expression reads a variable whose value depends on measurements."""
    symbols = [scopes.get(one.name) for one in parts_of(node) if isinstance(one, ast.Identifier)]
    return any(isinstance(one, (Variable, BitAlias)) and is_measured(one.value) for one in symbols)


def _range(node: Any, kind: Kind, evaluator: Evaluator) -> Any:
    """The numbers of a range; they may depend on measurements."""
    if kind.name not in INTEGERS:
        raise ProgramInvalid(f"a range gives integers: its loop variable cannot be of type '{kind}'")
    if node.start is None or node.end is None:
        with error_location(node):
            raise ProgramInvalid("the range of a loop needs a start and an end")
    start, end = evaluator.integer_value(node.start), evaluator.integer_value(node.end)
    step = 1 if node.step is None else evaluator.integer_value(node.step)
    with error_location(node):
        return lift(_numbers, start, end, step)


def _numbers(start: int, end: int, step: int) -> range:
    if not step:
        raise ProgramInvalid("the step of a range must not be 0")
    return range(start, end + (1 if step > 0 else -1), step)

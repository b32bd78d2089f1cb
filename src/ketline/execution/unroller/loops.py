"""What loops run over, and what they change."""

from collections.abc import Iterator, Sequence
from typing import Any

from openqasm3 import ast

from ketline.domain.errors import ProgramInvalid
from ketline.execution.unroller.budget import Budget, placed
from ketline.execution.unroller.expressions import Evaluator
from ketline.execution.unroller.kinds import INTEGERS, Kind, Typed, convert
from ketline.execution.unroller.memory import BitAlias, Names, Variable


def loop_values(node: Any, kind: Kind, evaluator: Evaluator, budget: Budget) -> Iterator[Any]:
    """The values of a loop's variable, in order.

    Source: OpenQASM 3 specification, "Classical instructions", section "For loops"; both ends of a range belong to it.
    """
    if isinstance(node, ast.RangeDefinition):
        values = _range(node, kind, evaluator)
        with placed(node):
            budget.step(len(values))
        yield from (convert(Typed(Kind("int"), value), kind) for value in values)
    elif isinstance(node, ast.DiscreteSet):
        yield from [evaluator.evaluate_as(one, kind) for one in node.values]
    else:
        typed = evaluator.evaluate(node)
        if not isinstance(typed.value, tuple) or len(typed.kind.dimensions) > 1:
            with placed(node):
                raise ProgramInvalid("only ranges, sets, registers of bits and arrays can be looped over")
        budget.step(len(typed.value))
        yield from (convert(Typed(typed.kind.element, value), kind) for value in typed.value)


def written_in(statements: Sequence[Any], names: Names) -> list[Variable]:
    """The variables that statements may change, as far as they are known where the statements stand."""
    symbols = [names.get(name) for name in dict.fromkeys(_targets(statements))]
    found: dict[Variable, None] = {}
    for symbol in symbols:
        if isinstance(symbol, Variable) and not symbol.constant:
            found[symbol] = None
        elif isinstance(symbol, BitAlias):
            found |= dict.fromkeys(variable for variable, _ in symbol.bits)
    return list(found)


def _targets(statements: Sequence[Any]) -> Iterator[str]:
    pending: list[Any] = list(statements)
    while pending:
        node = pending.pop()
        target = getattr(node, "lvalue", None) or (
            node.target if isinstance(node, ast.QuantumMeasurementStatement) else None
        )
        if target is not None:
            yield target.name if isinstance(target, ast.Identifier) else target.name.name
        if isinstance(node, ast.QASMNode):
            pending.extend(vars(node).values())
        elif isinstance(node, (list, tuple)):
            pending.extend(node)


def _range(node: Any, kind: Kind, evaluator: Evaluator) -> range:
    if kind.name not in INTEGERS:
        raise ProgramInvalid("a range gives integers")
    if node.start is None or node.end is None:
        with placed(node):
            raise ProgramInvalid("the range of a loop needs a start and an end")
    start, end = evaluator.integer(node.start), evaluator.integer(node.end)
    step = 1 if node.step is None else evaluator.integer(node.step)
    if not step:
        with placed(node):
            raise ProgramInvalid("the step of a range must not be 0")
    return range(start, end + (1 if step > 0 else -1), step)

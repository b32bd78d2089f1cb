"""Traverses a parsed expression or statement, to find the names and calls in it."""

from collections.abc import Iterator
from typing import Any

from openqasm3 import ast

from ketline.execution.frontend.unroller.operators import is_function


def parts_of(node: Any) -> Iterator[Any]:
    """Yield a node of the parser's tree and all nodes below it."""
    pending: list[Any] = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.QASMNode):
            yield part
            pending.extend(vars(part).values())
        elif isinstance(part, (list, tuple)):
            pending.extend(part)


def calls_subroutine(node: Any) -> bool:
    """Whether an expression calls a subroutine, which may have side effects."""
    return any(isinstance(one, ast.FunctionCall) and not is_function(one.name.name) for one in parts_of(node))

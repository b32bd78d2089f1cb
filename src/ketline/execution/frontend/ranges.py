"""The positions that a range selects, for all front ends, and the check of aliases."""

from typing import Any

from openqasm3 import ast

from ketline.execution.frontend.diagnosis import invalid


def positions(size: int, start: int | None, end: int | None, step: int | None) -> range:
    """The positions of a register that `[start:step:end]` selects: both ends are included, -1 is the last position.

    Raises:
        IndexError: it exceeds the register, or its step is 0.

    Source: OpenQASM 3 specification, "Types and Casting", section "Register concatenation and slicing".
    """
    stride = 1 if step is None else step
    if not stride:
        raise IndexError(step)
    first = _position(size, start, 0 if stride > 0 else size - 1)
    last = _position(size, end, size - 1 if stride > 0 else 0)
    selected = range(first, last + (1 if stride > 0 else -1), stride)
    if selected and not (0 <= selected[0] < size and 0 <= selected[-1] < size):
        raise IndexError(selected)
    return selected


def _position(size: int, index: int | None, default: int) -> int:
    if index is None:
        return default
    return index + size if index < 0 else index


def check_aliased(node: Any) -> None:
    """Reject an alias of physical qubits.

    Source: OpenQASM 3 specification, "Types and Casting", section "Aliasing".
    """
    match node:
        case ast.Identifier() if node.name.startswith("$"):
            raise invalid(node, f"the physical qubit '{node.name}' cannot have an alias: use its own name")
        case ast.Concatenation():
            check_aliased(node.lhs)
            check_aliased(node.rhs)

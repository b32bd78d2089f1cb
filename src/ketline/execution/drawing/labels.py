"""The texts of the SVG drawing: names of gates, angles, conditions. Used by `layout.py`."""

from collections.abc import Callable, Mapping
from typing import Any

from qiskit.circuit import ParameterExpression
from qiskit.circuit.classical import expr
from qiskit.circuit.tools.pi_check import pi_check

from ketline.domain.circuits.gates import GATE_TABLE

_MAX_CHARACTERS = 40
_LABELS: Mapping[str, str] = {
    **{gate.qiskit_name: gate.label for gate in GATE_TABLE if gate.label is not None},
    "break_loop": "break",
    "continue_loop": "continue",
    "reset": "|0⟩",
}
_SYMBOLS: Mapping[str, str] = {
    "BIT_AND": "&",
    "BIT_NOT": "!",
    "BIT_OR": "|",
    "BIT_XOR": "^",
    "EQUAL": "==",
    "LOGIC_AND": "&&",
    "LOGIC_NOT": "!",
    "LOGIC_OR": "||",
    "NOT_EQUAL": "!=",
}

Name = Callable[[Any], str]


def gate_label(name: str) -> str:
    return _LABELS.get(name, name.upper())


def parameter_text(operation: Any) -> str:
    """The angles of a gate, as fractions of pi where they are; matrices are left out."""
    angles = [value for value in operation.params if isinstance(value, (int, float, ParameterExpression))]
    return cut(", ".join(str(pi_check(value, ndigits=4)) for value in angles))


def condition_text(operation: Any, name: Name) -> str:
    """The condition of a branch or a loop as text; `name` gives the name of a bit or a register."""
    if operation.name == "for_loop":
        values, variable, _ = operation.params
        shown = f"[{values.start}:{values.step}:{values[-1]}]" if isinstance(values, range) and values else list(values)
        return cut(f"for {'' if variable is None else variable.name} in {shown}")
    word = "while" if operation.name == "while_loop" else "if"
    condition = operation.condition
    if isinstance(condition, tuple):
        return cut(f"{word} {name(condition[0])} == {int(condition[1])}")
    return cut(f"{word} {expression_text(condition, name)}")


def expression_text(node: Any, name: Name) -> str:
    """An expression of Qiskit's as a program would write it."""
    match node:
        case expr.Var():
            return name(node.var)
        case expr.Value():
            return str(int(node.value))
        case expr.Cast():
            return expression_text(node.operand, name)
        case expr.Unary():
            return f"{_symbol(node)}{expression_text(node.operand, name)}"
        case expr.Binary():
            return f"({expression_text(node.left, name)} {_symbol(node)} {expression_text(node.right, name)})"
        case _:
            return "…"


def cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"


def _symbol(node: Any) -> str:
    return _SYMBOLS.get(node.op.name, node.op.name.lower())

"""Angles as expressions of OpenQASM: numbers in full precision, and SymPy's formulas of free parameters.

The modules of Braket, Cirq, PennyLane and pytket call it.
"""

from typing import Any

from ketline.client.convert.writer import ProgramWriter
from ketline.client.errors import CircuitNotConvertible

_FUNCTIONS = {"sin": "sin", "cos": "cos", "tan": "tan", "exp": "exp", "log": "log", "asin": "arcsin", "acos": "arccos"}
_CONSTANTS = {"Pi": "pi", "Exp1": "euler"}


def angle_text(value: Any, writer: ProgramWriter, factor: float = 1.0) -> str:
    """`factor` times a number or a formula of SymPy; its symbols become inputs of the program.

    Raises:
        CircuitNotConvertible: the formula has no counterpart in OpenQASM, or the number is not real.
    """
    if not getattr(value, "free_symbols", None):
        return repr(real(value) * factor)
    text = _formula(value, writer)
    return text if factor == 1.0 else f"{factor!r} * {text}"


def real(value: Any) -> float:
    """A number as a float.

    Raises:
        CircuitNotConvertible: it is no real number.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise CircuitNotConvertible(f"the angle {value} is not a real number") from error


def _formula(value: Any, writer: ProgramWriter) -> str:
    if value.is_Symbol:
        return writer.input(str(value))
    kind = type(value).__name__
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    if value.is_number:
        number = real(value)
        return repr(number) if number >= 0 else f"({number!r})"
    parts = [_formula(part, writer) for part in value.args]
    if value.is_Add:
        return f"({' + '.join(parts)})"
    if value.is_Mul:
        return f"({' * '.join(parts)})"
    if value.is_Pow:
        return _power(value, parts)
    if kind in _FUNCTIONS and len(parts) == 1:
        return f"{_FUNCTIONS[kind]}({parts[0]})"
    raise CircuitNotConvertible(
        f"the parameter {value} has '{kind}', which is not supported: give the parameters values"
    )


def _power(value: Any, parts: list[str]) -> str:
    exponent = value.args[1]
    if exponent == -1:
        return f"(1.0 / {parts[0]})"
    if exponent.is_Integer and exponent > 0:
        return f"({' * '.join([parts[0]] * int(exponent))})"
    return f"({parts[0]} ** {parts[1]})"

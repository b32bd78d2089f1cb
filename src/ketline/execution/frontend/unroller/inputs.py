"""Converts the values of a task's inputs to the types that its program declares. Used by `variables.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from ketline.domain.errors import ProgramInvalid
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.frontend.unroller.kinds import FLOAT, INT, Kind, Typed, convert


def input_value(name: str, value: InputValue, kind: Kind) -> Any:
    """Convert the value of an input to its declared type.

    Integers are accepted as floats; a string is the bits of a register, bit 0 rightmost, and so is an unsigned number.

    Raises:
        ProgramInvalid: the value has another type.
    """
    if kind.base is None:
        return _scalar(f"input '{name}'", value, kind)
    if not isinstance(value, Mapping):
        example = f'{{"{name}": {{"array": […]}}}}'
        raise ProgramInvalid(f"input '{name}' must be a value of type '{kind}': give it as in {example}")
    return _elements(name, value.get("array"), kind)


def _elements(name: str, values: Any, kind: Kind) -> Any:
    size, element = kind.dimensions[0], kind.element
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != size:
        given = len(values) if isinstance(values, Sequence) else 0
        raise ProgramInvalid(f"input '{name}' needs {size} elements where it is of type '{kind}', not {given}")
    if element.base is not None:
        return tuple(_elements(name, one, element) for one in values)
    return tuple(_scalar(f"element {index} of input '{name}'", one, element) for index, one in enumerate(values))


def _scalar(what: str, value: Any, kind: Kind) -> Any:
    if not _fits(value, kind):
        raise ProgramInvalid(f"{what} must be a value of type '{kind}'")
    if isinstance(value, str):
        bits = tuple(digit == "1" for digit in reversed(value))
        return convert(Typed(Kind("bit", len(bits)), bits), kind)
    is_real = kind.name in ("float", "angle")
    return convert(Typed(FLOAT, float(value)) if is_real else Typed(INT, int(value)), kind)


def _fits(value: Any, kind: Kind) -> bool:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    match kind.name:
        case "bool":
            return isinstance(value, bool)
        case "int" | "uint":
            return is_integer
        case "float" | "angle":
            return is_integer or isinstance(value, float)
        case "bit" if isinstance(value, str):
            return True
        case "bit":
            return (is_integer and 0 <= value < 1 << kind.bits) if kind.is_register else value in (0, 1)
    return False

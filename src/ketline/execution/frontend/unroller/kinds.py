"""Classical types, and conversions of values between them, for the unroller and the importer.

Integers without a width have 64 bits, but a result that depends on that is rejected, because the specification leaves
the width to the implementation. Conversions whose result it does not define are rejected too.
Source: OpenQASM 3 specification, "Types and Casting".
"""

import math
import struct
from dataclasses import dataclass, field
from typing import Any

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.execution.circuit.derivatives.dual import Dual, real, value_of
from ketline.execution.frontend.unroller.values import Measured, lift, lift_sequence

DEFAULT_WIDTH = 64
MAX_WIDTH = 1024
_FLOAT_FORMATS = {16: "e", 32: "f"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: `width` is None where the program gives none; of arrays, `base` is the type of an element.

    `adapted` means that an integer without a width is part of the value: whether C99 continues with `width` bits
    depends on the width of `int`, so a result that does not fit is rejected rather than wrapped.
    """

    name: str
    width: int | None = None
    base: "Kind | None" = None
    dimensions: tuple[int, ...] = ()
    adapted: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        if self.base is not None:
            return f"array[{self.base}, {', '.join(map(str, self.dimensions))}]"
        return self.name if self.width is None else f"{self.name}[{self.width}]"

    @property
    def is_register(self) -> bool:
        return self.name == "bit" and self.width is not None

    @property
    def bits(self) -> int:
        """The number of bits of a value."""
        return (1 if self.name == "bit" else DEFAULT_WIDTH) if self.width is None else self.width

    @property
    def element(self) -> "Kind":
        """The type of an element that an index selects."""
        if self.base is None:
            return BIT
        return self.base if len(self.dimensions) == 1 else Kind("array", None, self.base, self.dimensions[1:])


BIT = Kind("bit")
BOOL = Kind("bool")
INT = Kind("int")
FLOAT = Kind("float")
VOID = Kind("void")
INTEGERS = ("int", "uint")


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with its type; a register of bits is a tuple, an angle a multiple of 2 pi / 2^bits."""

    kind: Kind
    value: Any


def zero(kind: Kind) -> Any:
    """The value of a variable that was never assigned, which the specification does not define."""
    if kind.base is not None:
        return (zero(kind.element),) * kind.dimensions[0]
    if kind.is_register:
        return (False,) * kind.bits
    return {"bit": False, "bool": False, "float": 0.0}.get(kind.name, 0)


def convert(typed: Typed, kind: Kind, *, explicit: bool = False) -> Any:
    """Convert a value to another type; `explicit` if the program has a cast.

    Raises:
        ProgramInvalid: the types cannot be converted.
        ProgramUnsupported: the specification does not define the result.
    """
    source = typed.kind
    if source == kind and kind.name != "float":
        return typed.value
    if source.base is not None or kind.base is not None:
        return _convert_array(typed, kind)
    if kind.is_register:
        return _to_register(typed, kind)
    if source.is_register:
        return lift_sequence(lambda bits: _from_register(bits, source, kind), typed.value)
    return lift(lambda value: _convert_scalar(value, source, kind, explicit), typed.value)


def packed(bits: Any) -> int:
    """The number that bits represent, bit 0 lowest."""
    return sum(1 << index for index, bit in enumerate(bits) if bit)


def unpacked(number: int, width: int) -> tuple[bool, ...]:
    return tuple(bool(number >> index & 1) for index in range(width))


def radians(value: Any, kind: Kind) -> Any:
    return math.tau * value / (1 << kind.bits)


def check_range(value: int, kind: Kind) -> int:
    low, high = (0, 1 << kind.bits) if kind.name == "uint" else (-(1 << kind.bits - 1), 1 << kind.bits - 1)
    if low <= value < high:
        return value
    raise ProgramUnsupported(f"a number leaves the range of '{kind}', which the specification leaves open")


def signed(number: int, kind: Kind) -> int:
    """The number that these bits represent in a type of integers."""
    return number - (1 << kind.bits) if kind.name == "int" and number >> kind.bits - 1 & 1 else number


def _mismatch(source: Kind, kind: Kind) -> ProgramInvalid:
    return ProgramInvalid(f"a value of type '{source}' cannot become one of type '{kind}'")


def _convert_array(typed: Typed, kind: Kind) -> Any:
    source = typed.kind
    if len(source.dimensions) != len(kind.dimensions) or source.dimensions[:1] != kind.dimensions[:1]:
        raise _mismatch(source, kind)
    # Each element of a literal has its own type.
    elements = [one if isinstance(one, Typed) else Typed(source.element, one) for one in typed.value]
    return tuple(convert(one, kind.element) for one in elements)


def _to_register(typed: Typed, kind: Kind) -> Any:
    source, value = typed.kind, typed.value
    if source.is_register or (source.name == "bit" and kind.bits == 1):
        bits = value if source.is_register else (value,)
        if len(bits) != kind.bits:
            raise ProgramInvalid(f"{len(bits)} bits do not fit into '{kind}'")
        return bits
    if source.name in (*INTEGERS, "angle") and source.width in (None, kind.bits):
        return tuple(
            lift(lambda number, index=index: _bit_of(number, index, source, kind), value) for index in range(kind.bits)
        )
    raise _mismatch(source, kind)


def _bit_of(number: int, index: int, source: Kind, kind: Kind) -> bool:
    if source.width is None and not 0 <= number < 1 << kind.bits:
        raise ProgramUnsupported(f"this number does not fit into '{kind}'")
    return bool(number >> index & 1)


def _from_register(bits: Any, source: Kind, kind: Kind) -> Any:
    number = packed(bits)
    if kind.name == "bool":
        return number != 0
    if kind.name == "bit" and source.bits == 1:
        return number == 1
    if kind.name == "angle" and kind.bits == source.bits:
        return number
    if kind.name in INTEGERS:
        if kind.width == source.bits:
            return signed(number, kind)
        if kind.width is None or kind.bits > source.bits:
            return check_range(number, kind)
    raise _mismatch(source, kind)


def _convert_scalar(value: Any, source: Kind, kind: Kind, explicit: bool) -> Any:
    match kind.name:
        case "bool":
            return value != 0
        case "bit" if source.name in ("bool", "bit") or (source.name in INTEGERS and value in (0, 1)):
            return value != 0
        case "int" | "uint" if source.name != "angle":
            return _to_integer(value, source, kind, explicit)
        case "float" if source.name != "angle" and source.name != "bit":
            return _rounded(real(value), kind)
        case "angle" if source.name == "angle":
            return _resized(value, source, kind)
        case "angle" if source.name == "float" or (source.name in INTEGERS and not value):
            return _angle_of(value, kind)
    raise _mismatch(source, kind)


def _to_integer(value: Any, source: Kind, kind: Kind, explicit: bool) -> int:
    number = math.trunc(value)
    if explicit and source.name in INTEGERS and source.width is not None and source.width == kind.width:
        return signed(number % (1 << kind.bits), kind)
    return check_range(number, kind)


def _angle_of(value: Any, kind: Kind) -> Any:
    """The angle next to a number of radians; its rounding has no derivative."""
    size = 1 << kind.bits
    angle = round(math.remainder(float(value_of(value)), math.tau) / math.tau * size) % size
    return value.mapped(angle, size / math.tau) if isinstance(value, Dual) else angle


def _rounded(value: Any, kind: Kind) -> Any:
    if kind.width in (None, 64):
        return value
    if isinstance(value, Dual):
        return value.mapped(_rounded(value.value, kind), 1.0)
    form = _FLOAT_FORMATS.get(kind.bits)
    if form is None:
        raise ProgramUnsupported(f"'{kind}' is not supported: floats have 16, 32 or 64 bits here")
    return float(struct.unpack(form, struct.pack(form, value))[0])


def _resized(value: Any, source: Kind, kind: Kind) -> Any:
    shift = kind.bits - source.bits
    if isinstance(value, Dual):
        return value.mapped(_resized(value.value, source, kind), 2.0**shift)
    return value << shift if shift >= 0 else value >> -shift


def is_measured(value: Any) -> bool:
    return isinstance(value, Measured) or (isinstance(value, tuple) and any(map(is_measured, value)))

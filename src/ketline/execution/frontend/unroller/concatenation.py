"""Concatenates (`++`) the values of arrays, or of registers of bits, for expressions, operands and aliases.

Source: OpenQASM 3 specification, "Types and Casting", sections "Register concatenation and slicing" and "Array
concatenation and slicing".
"""

from collections.abc import Collection
from typing import Any

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.unroller.kinds import BIT, Kind, Typed


def concatenated(left: Typed, right: Typed) -> Typed:
    """The register or array with the elements of both.

    Raises:
        ProgramInvalid: they are neither both registers of bits nor both arrays of one type.
    """
    kinds = (left.kind, right.kind)
    if all(kind == BIT or kind.is_register for kind in kinds):
        bits = (*_bits(left), *_bits(right))
        return Typed(Kind("bit", len(bits)), bits)
    one, other = kinds
    if one.name != "array" or one.base != other.base or one.dimensions[1:] != other.dimensions[1:]:
        raise ProgramInvalid(f"'++' joins two arrays of one type or two registers, not '{one}' and '{other}'")
    size = one.dimensions[0] + other.dimensions[0]
    return Typed(Kind("array", None, one.base, (size, *one.dimensions[1:])), (*left.value, *right.value))


def checked_concatenation(joined: tuple[Any, ...], elements: Collection[Any]) -> tuple[Any, ...]:
    """The concatenation of registers; `elements` identify what is joined.

    Raises:
        ProgramInvalid: the registers overlap.
    """
    if len(set(elements)) != len(joined):
        raise ProgramInvalid("a register cannot be concatenated to itself")
    return joined


def _bits(typed: Typed) -> tuple[Any, ...]:
    return (typed.value,) if typed.kind == BIT else tuple(typed.value)

"""Classical values while a program is unrolled: known ones, and ones that depend on measured bits.

A value is a Python bool, int, float, or a tuple of values (registers of bits, arrays), bit 0 and element 0 first.
What a measurement decides is `Measured`: a table of the values for all outcomes of the few bits it depends on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ketline.domain.errors import ProgramUnsupported

_MOST_ATOMS = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """A value that depends on measured bits.

    `atoms` are positions of classical bits of the circuit, ascending. `table` has 2^len(atoms) values, none of them
    `Measured`: bit k of an entry's position is the outcome of `atoms[k]`.
    """

    atoms: tuple[int, ...]
    table: tuple[Any, ...]


def atom(position: int) -> Measured:
    """The value of one classical bit of the circuit."""
    return Measured((position,), (False, True))


def lift(function: Callable[..., Any], *values: Any) -> Any:
    """Apply a function to values of which some may be `Measured`, for every outcome.

    Raises:
        ProgramUnsupported: the result depends on too many bits.
    """
    for value in values:
        if isinstance(value, Measured):
            break
    else:
        return function(*values)
    atoms = sorted({one for value in values if isinstance(value, Measured) for one in value.atoms})
    if len(atoms) > _MOST_ATOMS:
        raise ProgramUnsupported(f"a value that depends on more than {_MOST_ATOMS} measured bits is not supported")
    places = {one: place for place, one in enumerate(atoms)}
    columns = [_column(value, places) for value in values]
    return reduced(atoms, [function(*row) for row in zip(*columns, strict=True)])


def lift_sequence(function: Callable[[Sequence[Any]], Any], values: Sequence[Any]) -> Any:
    return lift(lambda *row: function(row), *values)


def reduced(atoms: Sequence[int], table: Sequence[Any]) -> Any:
    """The value of a table, without the atoms that make no difference."""
    kept = list(atoms)
    for one in reversed(atoms):
        stride = 1 << kept.index(one)
        low = [at for at in range(len(table)) if not at & stride]
        if all(_same(table[at], table[at | stride]) for at in low):
            table = [table[at] for at in low]
            kept.remove(one)
    return Measured(tuple(kept), tuple(table)) if kept else table[0]


def choose(condition: Any, then: Any, otherwise: Any) -> Any:
    """`then` where the condition holds, else `otherwise`; element by element in registers and arrays."""
    if isinstance(then, tuple) and isinstance(otherwise, tuple) and len(then) == len(otherwise):
        return tuple(choose(condition, one, other) for one, other in zip(then, otherwise, strict=True))
    if then is otherwise:
        return then
    return lift(_pick, condition, then, otherwise)


def evaluate_at(value: Any, outcome: int) -> Any:
    """The value where the circuit's classical bits are those of an outcome, bit k that of position k."""
    if not isinstance(value, Measured):
        return value
    place = sum(1 << k for k, position in enumerate(value.atoms) if outcome >> position & 1)
    return value.table[place]


def _pick(condition: bool, then: Any, otherwise: Any) -> Any:
    return then if condition else otherwise


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _column(value: Any, places: dict[int, int]) -> list[Any]:
    size = 1 << len(places)
    if not isinstance(value, Measured):
        return [value] * size
    column = [0] * size
    for k, one in enumerate(value.atoms):
        place = places[one]
        column = [at | ((row >> place & 1) << k) for row, at in enumerate(column)]
    return [value.table[at] for at in column]

"""Classical values of the unroller: known values, and values that depend on measured bits.

A value is a Python bool, int, float, or a tuple of values (registers of bits, arrays), bit 0 and element 0 first. A
value that depends on measurements is `Measured`: a table of the values for all outcomes of the few bits.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import compress
from typing import Any

from ketline.domain.errors import ProgramUnsupported

MAX_ATOMS = 10
_ANY = object()  # in a table: the value for outcomes that cannot come about
_assumed: ContextVar[tuple["Measured", ...]] = ContextVar("assumed", default=())


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


def is_computed(value: Any) -> bool:
    """Whether a bit depends on measured bits in another way than by being equal to one."""
    return isinstance(value, Measured) and (len(value.atoms) != 1 or tuple(map(bool, value.table)) != (False, True))


@contextmanager
def assuming(condition: Any) -> Iterator[None]:
    """Assume in the block that the condition holds, so values need not be correct where it does not.

    That is true inside a branch or a loop of the circuit. It keeps tables small, and avoids calls of functions with
    values that cannot occur together.
    """
    token = _assumed.set((*_assumed.get(), condition) if isinstance(condition, Measured) else _assumed.get())
    try:
        yield
    finally:
        _assumed.reset(token)


def lift(function: Callable[..., Any], *values: Any) -> Any:
    """Apply a function to values, some of which may be `Measured`, for every outcome.

    Raises:
        ProgramUnsupported: the result depends on too many bits.
    """
    for value in values:
        if isinstance(value, Measured):
            break
    else:
        return function(*values)
    atoms = sorted({one for value in values if isinstance(value, Measured) for one in value.atoms})
    if len(atoms) > MAX_ATOMS:
        raise ProgramUnsupported(f"a value that depends on more than {MAX_ATOMS} measured bits is not supported")
    indices = {one: index for index, one in enumerate(atoms)}
    rows = zip(*[_column(value, indices) for value in values], strict=True)
    possible = _possible(indices)
    if possible is None:
        return reduced(atoms, [function(*row) for row in rows])
    return reduced(atoms, [function(*row) if one else _ANY for row, one in zip(rows, possible, strict=True)])


def _possible(indices: dict[int, int]) -> list[bool] | None:
    """For each outcome of these atoms, whether the assumptions allow it; None if they allow all, or none."""
    assumed = _assumed.get()
    if not assumed:
        return None
    possible = [True] * (1 << len(indices))
    for condition in assumed:
        shared = [one for one in condition.atoms if one in indices]
        if shared:
            allowed = _column(_projected(condition, shared), indices)
            possible = [one and bool(other) for one, other in zip(possible, allowed, strict=True)]
    return possible if any(possible) and not all(possible) else None


def _projected(condition: "Measured", atoms: Sequence[int]) -> "Measured":
    """For each outcome of some of a condition's atoms, whether the condition may hold."""
    if len(atoms) == len(condition.atoms):
        return condition
    ranks = [condition.atoms.index(one) for one in atoms]
    table = [False] * (1 << len(atoms))
    for outcome in compress(range(len(condition.table)), condition.table):
        table[sum(1 << index for index, rank in enumerate(ranks) if outcome >> rank & 1)] = True
    return Measured(tuple(atoms), tuple(table))


def lift_sequence(function: Callable[[Sequence[Any]], Any], values: Sequence[Any]) -> Any:
    return lift(lambda *row: function(row), *values)


def reduced(atoms: Sequence[int], table: Sequence[Any]) -> Any:
    """The value of a table, without atoms that do not affect it under the assumptions."""
    kept = list(atoms)
    for one in reversed(atoms):
        stride = 1 << kept.index(one)
        low = [at for at in range(len(table)) if not at & stride]
        if all(_same(table[at], table[at | stride]) for at in low):
            table = [table[at | stride] if table[at] is _ANY else table[at] for at in low]
            kept.remove(one)
    if not kept:
        return table[0]
    some = next(value for value in table if value is not _ANY)
    return Measured(tuple(kept), tuple(some if value is _ANY else value for value in table))


def flattened(value: Any) -> list[Any]:
    """The scalars in a value, first element first."""
    return [leaf for part in value for leaf in flattened(part)] if isinstance(value, tuple) else [value]


def rebuilt(value: Any, leaves: Iterator[Any]) -> Any:
    """A value of the same shape with other scalars."""
    return tuple(rebuilt(part, leaves) for part in value) if isinstance(value, tuple) else next(leaves)


def choose(condition: Any, then: Any, otherwise: Any) -> Any:
    """`then` if the condition holds, otherwise `otherwise`; element by element in registers and arrays."""
    if isinstance(then, tuple) and isinstance(otherwise, tuple) and len(then) == len(otherwise):
        return tuple(choose(condition, one, other) for one, other in zip(then, otherwise, strict=True))
    if then is otherwise:
        return then
    return lift(_pick, condition, then, otherwise)


def evaluate_at(value: Any, outcome: int) -> Any:
    """The value for an outcome of the circuit's classical bits, bit k at position k."""
    if not isinstance(value, Measured):
        return value
    index = sum(1 << k for k, position in enumerate(value.atoms) if outcome >> position & 1)
    return value.table[index]


def _pick(condition: bool, then: Any, otherwise: Any) -> Any:
    return then if condition else otherwise


def _same(one: Any, other: Any) -> bool:
    return one is _ANY or other is _ANY or (type(one) is type(other) and bool(one == other))


def _column(value: Any, indices: dict[int, int]) -> list[Any]:
    size = 1 << len(indices)
    if not isinstance(value, Measured):
        return [value] * size
    column = [0] * size
    for k, one in enumerate(value.atoms):
        index = indices[one]
        column = [at | ((row >> index & 1) << k) for row, at in enumerate(column)]
    return [value.table[at] for at in column]

"""The scopes of a program's names, and the values of its variables, while the unroller interprets it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.unroller.kinds import BIT, Kind
from ketline.execution.frontend.unroller.values import MAX_ATOMS, Measured, choose

# A value that depends on more bits is written to new bits, if it needs fewer: it may be combined with another such.
_WIDE = 6


@dataclass(slots=True, eq=False)
class Variable:
    """A classical variable; `number` counts the variables in order of creation, `name` is the declared name."""

    kind: Kind
    value: Any
    constant: bool = False
    name: str | None = None
    number: int = field(default_factory=count().__next__)


@dataclass(frozen=True, slots=True, eq=False)
class BitAlias:
    """An alias of some bits of variables; the index of a single bit is None."""

    bits: tuple[tuple[Variable, int | None], ...]

    @property
    def kind(self) -> Kind:
        return Kind("bit", len(self.bits))

    @property
    def value(self) -> Any:
        return tuple(one.value if index is None else one.value[index] for one, index in self.bits)


@dataclass(frozen=True, slots=True)
class Qubits:
    """A qubit, or a tuple of the positions of several; `selection` may depend on measurements."""

    selection: Any


@dataclass(frozen=True, slots=True)
class Definition:
    """A gate or a subroutine that the program defines."""

    node: Any


Symbol = Variable | BitAlias | Qubits | Definition


class NameScopes:
    """Scopes of names: nested blocks, and bodies of gates and subroutines, which see only global constants."""

    def __init__(self) -> None:
        self._global: dict[str, Symbol] = {}
        self._stack: list[dict[str, Symbol]] = [self._global]
        self._outer: list[list[dict[str, Symbol]]] = []

    @property
    def at_global_scope(self) -> bool:
        return len(self._stack) == 1 and not self._outer

    @property
    def depth_of_calls(self) -> int:
        return len(self._outer)

    def get(self, name: str) -> Symbol | None:
        for scope in reversed(self._stack):
            if name in scope:
                return scope[name]
        found = self._global.get(name)
        visible = isinstance(found, Definition) or (isinstance(found, Variable) and found.constant)
        return found if visible else None

    def define(self, name: str, symbol: Symbol) -> None:
        if name in self._stack[-1]:
            raise ProgramInvalid(f"'{name}' is already defined")
        self._stack[-1][name] = symbol

    @contextmanager
    def block(self) -> Iterator[None]:
        self._stack.append({})
        try:
            yield
        finally:
            self._stack.pop()

    @contextmanager
    def call(self, symbols: Mapping[str, Symbol]) -> Iterator[None]:
        """Enter the scope of a body in which these names, and global constants, gates and subroutines, are visible."""
        self._outer.append(self._stack)
        self._stack = [dict(symbols)]
        try:
            yield
        finally:
            self._stack = self._outer.pop()


class Bits(Protocol):
    """Writes values to bits of the circuit, so that they depend on fewer bits."""

    def narrowed(self, value: Any) -> Any: ...

    def merged(self, condition: Measured, then: Any, otherwise: Any) -> Any: ...


class Memory:
    """Writes variables, and merges the values that the branches of a measured condition have written."""

    def __init__(self, bits: Bits) -> None:
        self._bits = bits
        self._logs: list[dict[Variable, Any]] = []

    def write(self, target: Variable | BitAlias, value: Any) -> None:
        if isinstance(target, Variable):
            self.put(target, self._bits.narrowed(value) if _is_wide(value) else value)
            return
        for (variable, index), bit in zip(target.bits, value, strict=True):
            self.write(variable, bit if index is None else (*variable.value[:index], bit, *variable.value[index + 1 :]))

    def put(self, variable: Variable, value: Any) -> None:
        """Write a value without reducing it: the bits on which it depends may change between iterations of a loop."""
        if self._logs:
            self._logs[-1].setdefault(variable, variable.value)
        variable.value = value

    @contextmanager
    def branch(self) -> Iterator[dict[Variable, Any]]:
        """Collect the writes of a branch in the dictionary, and undo them after the block."""
        log: dict[Variable, Any] = {}
        self._logs.append(log)
        try:
            yield log
        finally:
            self._logs.pop()
            for variable, before in list(log.items()):
                log[variable], variable.value = variable.value, before

    def merge(self, condition: Any, then: Mapping[Variable, Any], otherwise: Mapping[Variable, Any]) -> None:
        for variable in {**then, **otherwise}:
            before = variable.value
            one, other = then.get(variable, before), otherwise.get(variable, before)
            self.write(variable, self._chosen(condition, one, other))

    def _chosen(self, condition: Any, one: Any, other: Any) -> Any:
        if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
            return tuple(self._chosen(condition, *pair) for pair in zip(one, other, strict=True))
        if one is other:
            return one
        measured = [part for part in (condition, one, other) if isinstance(part, Measured)]
        if len({atom for part in measured for atom in part.atoms}) > MAX_ATOMS:
            return self._bits.merged(condition, one, other)
        return choose(condition, one, other)


def _is_wide(value: Any) -> bool:
    return isinstance(value, Measured) and len(value.atoms) > _WIDE


def bits_of(symbol: Variable | BitAlias, indices: Any) -> tuple[tuple[Variable, int | None], ...]:
    """References to bits of a variable, or to all of them without `indices`."""
    if isinstance(symbol, BitAlias):
        return symbol.bits if indices is None else tuple(symbol.bits[index] for index in indices)
    if symbol.kind == BIT:
        return ((symbol, None),)
    chosen = range(symbol.kind.bits) if indices is None else indices
    return tuple((symbol, index) for index in chosen)

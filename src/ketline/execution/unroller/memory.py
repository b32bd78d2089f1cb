"""What the names of a program stand for, and what its variables hold."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from ketline.domain.errors import ProgramInvalid
from ketline.execution.unroller.kinds import BIT, Kind
from ketline.execution.unroller.values import choose


@dataclass(slots=True, eq=False)
class Variable:
    """A classical variable; `number` grows with each that is made, `name` is that of its declaration."""

    kind: Kind
    value: Any
    constant: bool = False
    name: str | None = None
    number: int = field(default_factory=count().__next__)


@dataclass(frozen=True, slots=True, eq=False)
class BitAlias:
    """A name for some bits of variables; the place of a single bit is None."""

    bits: tuple[tuple[Variable, int | None], ...]

    @property
    def kind(self) -> Kind:
        return Kind("bit", len(self.bits))

    @property
    def value(self) -> Any:
        return tuple(one.value if place is None else one.value[place] for one, place in self.bits)


@dataclass(frozen=True, slots=True)
class Qubits:
    """A qubit, or a tuple of the positions of several; `selection` may depend on measurements."""

    selection: Any


@dataclass(frozen=True, slots=True)
class Definition:
    """A gate or a subroutine that the program defines."""

    node: Any


Symbol = Variable | BitAlias | Qubits | Definition


class Names:
    """Scopes of names: blocks in blocks, and those of gates and subroutines, which see only global constants."""

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
        """The scope of a body that sees these names, and global constants, gates and subroutines."""
        self._outer.append(self._stack)
        self._stack = [dict(symbols)]
        try:
            yield
        finally:
            self._stack = self._outer.pop()


class Memory:
    """Writes to variables, and merges what the branches of a measured condition have written."""

    def __init__(self) -> None:
        self._logs: list[dict[Variable, Any]] = []

    @property
    def branches(self) -> int:
        """How many conditions that depend on measurements surround the current statement."""
        return len(self._logs)

    def write(self, target: Variable | BitAlias, value: Any) -> None:
        if isinstance(target, Variable):
            if self._logs:
                self._logs[-1].setdefault(target, target.value)
            target.value = value
            return
        for (variable, place), bit in zip(target.bits, value, strict=True):
            self.write(variable, bit if place is None else (*variable.value[:place], bit, *variable.value[place + 1 :]))

    @contextmanager
    def branch(self) -> Iterator[dict[Variable, Any]]:
        """Collect what a branch writes, and take it back; the dictionary then holds what it wrote."""
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
            self.write(variable, choose(condition, one, other))


def bits_of(symbol: Variable | BitAlias, places: Any) -> tuple[tuple[Variable, int | None], ...]:
    """References to bits of a variable; of all of them without places."""
    if isinstance(symbol, BitAlias):
        return symbol.bits if places is None else tuple(symbol.bits[place] for place in places)
    if symbol.kind == BIT:
        return ((symbol, None),)
    chosen = range(symbol.kind.bits) if places is None else places
    return tuple((symbol, place) for place in chosen)

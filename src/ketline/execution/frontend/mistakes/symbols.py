"""The scopes of a program's names, and what is known of them before it runs; `semantics.py` fills them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

UNKNOWN_SIZE = -1


@dataclass(frozen=True, slots=True)
class Symbol:
    """A declared name.

    `kind` is the name of its type, or gate, def, or unknown: nothing is reported about an unknown name. `size` is that
    of a register or of an array's first dimension, None for one qubit or value. `value` is that of an integer constant;
    `parameters` and `qubits` are the numbers of a gate's operands.
    """

    kind: str
    size: int | None = None
    value: int | None = None
    constant: bool = False
    line: int | None = None
    parameters: int = 0
    qubits: int = 0

    @property
    def is_register(self) -> bool:
        return self.kind in ("qubit", "bit") and self.size is not None


UNKNOWN = Symbol("unknown", UNKNOWN_SIZE)


@dataclass(slots=True)
class Scopes:
    """Scopes of names, innermost last; in the body of a gate or subroutine, outer constants and definitions are
    visible.
    """

    _stack: list[dict[str, Symbol]] = field(default_factory=lambda: [{}])
    _hidden: list[list[dict[str, Symbol]]] = field(default_factory=list)
    gate: str | None = None  # the gate whose body is being checked

    @property
    def at_global_scope(self) -> bool:
        return len(self._stack) == 1 and not self._hidden

    def get(self, name: str) -> Symbol | None:
        """The symbol of a name; a physical qubit is not declared, and counts as unknown."""
        if name.startswith("$"):
            return UNKNOWN
        for scope in reversed(self._stack):
            if name in scope:
                return scope[name]
        found = self.hidden(name)
        visible = found is not None and (found.constant or found.kind in ("gate", "def", "unknown"))
        return found if visible else None

    def hidden(self, name: str) -> Symbol | None:
        """The symbol of a name outside the definition that is being checked."""
        return self._hidden[0][0].get(name) if self._hidden else None

    def declared_here(self, name: str) -> Symbol | None:
        return self._stack[-1].get(name)

    def define(self, name: str, symbol: Symbol) -> None:
        self._stack[-1][name] = symbol

    def define_globally(self, name: str, symbol: Symbol) -> None:
        (self._hidden[0] if self._hidden else self._stack)[0].setdefault(name, symbol)

    def names(self) -> set[str]:
        """All names that are visible."""
        outside = self._hidden[0][0] if self._hidden else {}
        return {name for scope in self._stack for name in scope} | {name for name in outside if self.get(name)}

    @contextmanager
    def block(self) -> Iterator[None]:
        self._stack.append({})
        try:
            yield
        finally:
            self._stack.pop()

    @contextmanager
    def definition(self, symbols: Mapping[str, Symbol], gate: str | None = None) -> Iterator[None]:
        self._hidden.append(self._stack)
        self._stack, self.gate = [dict(symbols)], gate
        try:
            yield
        finally:
            self._stack, self.gate = self._hidden.pop(), None


def described(symbol: Symbol) -> str:
    """A symbol as a noun for messages."""
    if symbol.kind in ("qubit", "bit"):
        return f"a {symbol.kind}" if symbol.size is None else f"a register of {symbol.kind}s"
    return {"gate": "a gate", "def": "a subroutine"}.get(symbol.kind, f"a value of type '{symbol.kind}'")


def line_of(node: Any) -> int | None:
    span = getattr(node, "span", None)
    return None if span is None else int(span.start_line)

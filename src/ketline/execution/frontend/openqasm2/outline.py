"""Finds the declarations and the number of operations of an OpenQASM 2 program without parsing it.

Source: Cross et al., "Open Quantum Assembly Language", arXiv:1707.03429, appendix A (grammar).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ketline.domain.errors import ExecutionFailed, ProgramTooLarge, ProgramUnsupported
from ketline.execution.frontend.text import position_of
from ketline.execution.limits import ExecutionLimits

_STATEMENT = re.compile(r"([A-Za-z_]\w*)([^;{}]*)|}")
_REGISTER = re.compile(r"\s*(?P<name>\w+)\s*\[\s*(?P<size>[0-9]+)\s*]\s*")
_SIGNATURE = re.compile(r"\s*(?P<name>\w+)\s*(?:\((?P<parameters>[^()]*)\))?(?P<qubits>[^()]*)")
_CONDITION = re.compile(r"\s*\(\s*(?P<register>\w+)\s*==[^()]*\)\s*(?P<word>[A-Za-z_]\w*)(?P<rest>.*)", re.DOTALL)
_NAME = re.compile(r"\w+")
_PARAMETERS = re.compile(r"\(.*\)", re.DOTALL)
_WHOLE_REGISTER = re.compile(r"[A-Za-z_]\w*+(?!\s*\[)")
# Qiskit's reader panics over an index that no machine word holds.
_LONG_INDEX = re.compile(r"\[\s*[0-9]{10}")
_MOST_DIGITS = 9
# In Qiskit's reader each definition has a list of those before it.
_MOST_DEFINITIONS = 4096
_DEEPEST_DEFINITION = 250
_DECLARATIONS = frozenset({"OPENQASM", "include", "qreg", "creg", "gate", "opaque", "barrier"})


class Signature(NamedTuple):
    """The numbers of a gate's parameters and qubits."""

    parameters: int
    qubits: int


# Qiskit's exporter declares it as opaque wherever a circuit waits.
DELAY = ("delay", Signature(parameters=1, qubits=1))


class Statement(NamedTuple):
    """A statement by its first word, one under an `if` by that behind the condition; inside of a gate or outside."""

    offset: int
    word: str
    rest: str
    inside: bool
    condition: str | None = None


@dataclass(slots=True)
class _Body:
    """The number of a gate's operations, its depth of nesting, and whether it calls an opaque gate."""

    operations: int = 0
    depth: int = 1
    is_opaque: bool = False


@dataclass(slots=True)
class Outline:
    """The declarations of a program, and the parts that Qiskit's reader does not check or reads differently.

    `qubits` and `bits` are the sizes of registers, `gates` those that the program declares itself; `called_bare` are
    the words of statements without parentheses behind them. `conditional_measurements` are the widths of the
    measurements under an `if`, in order; with `decides_own_bits` one of them measures several bits of the register that
    its `if` compares.
    """

    qubits: dict[str, int] = field(default_factory=dict)
    bits: dict[str, int] = field(default_factory=dict)
    gates: dict[str, Signature] = field(default_factory=dict)
    called_bare: set[str] = field(default_factory=set)
    has_long_index: bool = False
    has_conditions: bool = False
    conditional_measurements: list[int] = field(default_factory=list)
    decides_own_bits: bool = False

    @property
    def declared(self) -> frozenset[str]:
        return frozenset([*self.qubits, *self.bits, *self.gates])

    def width(self, operands: str) -> int:
        """The number of operations of a call, which depends on the registers among its operands."""
        return max(map(self._size, _WHOLE_REGISTER.findall(operands)), default=1)

    def _size(self, name: str) -> int:
        return self.qubits.get(name) or self.bits.get(name) or 1


def outline_of(text: str, limits: ExecutionLimits) -> Outline:
    """The outline of a text without comments; for an invalid program, as far as it can be found.

    Raises:
        ProgramTooLarge: it has more declarations or operations than the limits.
        ProgramUnsupported: it calls an opaque gate, or its definitions nest too deeply.
    """
    return _Outliner(text, limits).read()


class _Outliner:
    def __init__(self, text: str, limits: ExecutionLimits) -> None:
        self._text = text
        self._limits = limits
        self._outline = Outline(has_long_index=_LONG_INDEX.search(text) is not None)
        self._bodies: dict[str, _Body] = {}
        self._body = _Body()

    def read(self) -> Outline:
        calls: Counter[str] = Counter()
        bare = self._outline.called_bare
        for statement in _statements(self._text):
            word, rest = statement.word, statement.rest
            if statement.inside:
                self._inside(statement)
            elif word in _DECLARATIONS:
                self._declare(statement)
            else:
                calls[word] += 1
                if statement.condition is not None:
                    self._conditional(statement)
            if word not in bare and not rest.lstrip().startswith("("):
                bare.add(word)
        self._check(calls)
        return self._outline

    def _declare(self, statement: Statement) -> None:
        match statement.word:
            case "qreg":
                self._register(statement, self._outline.qubits, "qubits", self._limits.max_qubits)
            case "creg":
                self._register(statement, self._outline.bits, "bits", self._limits.max_bits)
            case "gate":
                self._body = _Body()
                self._gate(statement, self._body)
            case "opaque" if _signature(statement.rest) != DELAY:
                self._gate(statement, _Body(is_opaque=True))

    def _register(self, statement: Statement, registers: dict[str, int], what: str, most: int) -> None:
        if (found := _REGISTER.fullmatch(statement.rest)) is None:
            return
        digits = found["size"].lstrip("0") or "0"
        if len(digits) > _MOST_DIGITS or int(digits) + sum(registers.values()) > most:
            raise self._error(ProgramTooLarge, statement, f"a program can declare up to {most} {what} here")
        registers[found["name"]] = int(digits)

    def _gate(self, statement: Statement, body: _Body) -> None:
        if (found := _signature(statement.rest)) is None:
            return
        name, signature = found
        self._outline.gates[name] = signature
        self._bodies[name] = body
        if len(self._bodies) > _MOST_DEFINITIONS:
            raise self._error(ProgramTooLarge, statement, f"a program can define up to {_MOST_DEFINITIONS} gates here")

    def _inside(self, statement: Statement) -> None:
        body, called = self._body, self._bodies.get(statement.word)
        if called is None or called is body:
            body.operations += statement.word != "barrier"
            return
        body.operations = min(body.operations + max(1, called.operations), self._limits.max_operations + 1)
        body.depth = max(body.depth, called.depth + 1)
        body.is_opaque = body.is_opaque or called.is_opaque
        if body.depth > _DEEPEST_DEFINITION:
            message = f"the definitions of gates nest more than {_DEEPEST_DEFINITION} deep"
            raise self._error(ProgramUnsupported, statement, message)

    def _conditional(self, statement: Statement) -> None:
        self._outline.has_conditions = True
        if statement.word == "measure":
            width = self._outline.width(statement.rest)
            self._outline.conditional_measurements.append(width)
            target = _NAME.search(statement.rest.partition("->")[2])
            if width > 1 and target is not None and target[0] == statement.condition:
                self._outline.decides_own_bits = True

    def _check(self, calls: Counter[str]) -> None:
        """Check the calls one by one, if they may exceed the limits or call an opaque gate."""
        widest = max([1, *self._outline.qubits.values()])
        most = widest * sum(number * self._operations(word) for word, number in calls.items())
        if most <= self._limits.max_operations and not any(map(self._is_opaque, calls)):
            return
        total = 0
        for statement in _statements(self._text):
            if not statement.inside and statement.word not in _DECLARATIONS:
                total += self._operations(statement.word) * self._outline.width(_PARAMETERS.sub("", statement.rest))
                self._check_call(statement, total)

    def _check_call(self, statement: Statement, total: int) -> None:
        if total > self._limits.max_operations:
            message = f"the program expands to more than {self._limits.max_operations} operations"
            raise self._error(ProgramTooLarge, statement, message)
        if self._is_opaque(statement.word):
            name = statement.word[:60]
            declared = self._bodies.get(name)
            what = "is opaque" if declared is None or not declared.operations else "is made of an opaque gate"
            message = (
                f"gate '{name}' {what}: it cannot be simulated without a definition, as in 'gate {name} a {{ ... }}'"
            )
            raise self._error(ProgramUnsupported, statement, message)

    def _operations(self, word: str) -> int:
        body = self._bodies.get(word)
        return 1 if body is None else max(1, body.operations)

    def _is_opaque(self, word: str) -> bool:
        body = self._bodies.get(word)
        return body is not None and body.is_opaque

    def _error(self, kind: type[ExecutionFailed], statement: Statement, message: str) -> ExecutionFailed:
        line, column = position_of(self._text, statement.offset)
        return kind(message, line=line, column=column)


def _statements(text: str) -> Iterator[Statement]:
    inside = False
    for found in _STATEMENT.finditer(text):
        word, rest = found.groups()
        if word is None:
            inside = False
        elif word == "if" and (condition := _CONDITION.fullmatch(rest)):
            yield Statement(found.start(), condition["word"], condition["rest"], inside, condition["register"])
        else:
            yield Statement(found.start(), word, rest, inside)
            inside = inside or word == "gate"


def _signature(declared: str) -> tuple[str, Signature] | None:
    """The name and the signature of a gate, from the text after `gate` or `opaque`."""
    found = _SIGNATURE.fullmatch(declared)
    if found is None:
        return None
    parameters = len(_NAME.findall(found["parameters"] or ""))
    return found["name"], Signature(parameters, len(_NAME.findall(found["qubits"])))

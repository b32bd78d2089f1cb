"""Checks calls of gates, for `semantics.py`: names, parameters and qubits."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from openqasm3 import ast

from ketline.execution.frontend import messages
from ketline.execution.frontend.braket.names import ALIASES, BRAKET, OF_STANDARD
from ketline.execution.frontend.importer.gates import is_control
from ketline.execution.frontend.mistakes.expressions import Expressions, written
from ketline.execution.frontend.mistakes.report import Report
from ketline.execution.frontend.mistakes.suggestions import did_you_mean, suggestion
from ketline.execution.frontend.mistakes.symbols import UNKNOWN, UNKNOWN_SIZE, Scopes, Symbol, described
from ketline.execution.frontend.mistakes.words import TYPES
from ketline.execution.frontend.unroller.gates import BUILTIN_GATES, FURTHER_GATES, STANDARD_GATES, LibraryGate

_LIBRARY = STANDARD_GATES | FURTHER_GATES | BUILTIN_GATES
LIBRARY_NAMES = frozenset(_LIBRARY)
# The names of stdgates.inc are suggested first.
_SUGGESTED = frozenset(STANDARD_GATES) | {"U", "gphase"}


class GateCalls:
    """Reports mistakes in the calls of gates."""

    def __init__(self, scopes: Scopes, expressions: Expressions, report: Report) -> None:
        self._scopes = scopes
        self._expressions = expressions
        self._report = report
        self._included = False
        self._dialect: Mapping[str, LibraryGate] = {}

    def use_dialect(self, gates: Mapping[str, LibraryGate]) -> None:
        """Also accept these gates, by their names in the program's dialect."""
        self._dialect = gates

    def include(self) -> None:
        self._included = True

    def is_library_gate(self, name: str) -> bool:
        return name in BUILTIN_GATES or (self._included and name in STANDARD_GATES)

    def is_gate(self, name: str) -> bool:
        symbol = self._scopes.get(name)
        return symbol.kind == "gate" if symbol is not None else name in LIBRARY_NAMES

    def type_meant(self, name: str) -> str | None:
        known = self._known_gates()
        return None if name in known or self._scopes.get(name) is not None else suggestion(name, TYPES)

    def hint(self, name: str, known: Collection[str]) -> str:
        return did_you_mean(name, known)

    def call(self, node: Any) -> None:
        gate = self._look_up(node)
        for argument in node.arguments:
            self._expressions.check_angle(argument)
        sizes = [self._operand(qubit) for qubit in node.qubits]
        if gate is None:
            return
        if gate.kind == "def":
            return
        name = node.name.name
        if self._check_parameters(node, name, gate.parameters) and self._check_qubits(node, name, gate.qubits):
            self._check_sizes(node, sizes)
            self._check_different(node, name)

    def phase(self, node: Any) -> None:
        self._expressions.check(node.argument)
        for qubit in node.qubits:
            self._operand(qubit)

    def called_as_function(self, node: Any) -> bool:
        """Report `h(q[0]);`, with the qubits in parentheses; return whether the call has this form."""
        name = node.name.name
        symbol = self._scopes.get(name)
        if symbol is not None and symbol.kind != "gate":
            return symbol.kind == "unknown"
        if name == "print":
            self._report.invalid(
                node, "'print' is Python: results are shown by measuring into bits, as in 'c = measure q;'"
            )
            return True
        known = self._known_gates()
        meant = name if symbol is not None or name in known | LIBRARY_NAMES else suggestion(name, known | _SUGGESTED)
        qubits = [one for one in node.arguments if self._expressions.qubit_name(one) is not None]
        if meant is None or (not qubits and symbol is None and name not in known):
            return False
        angles = [written(one).replace("…", "angle") for one in node.arguments if one not in qubits]
        parameters = f"({', '.join(angles)})" if angles else ""
        operands = ", ".join(written(one) for one in qubits) or "q[0]"
        message = f"the qubits of a gate stand behind it, without parentheses: write '{meant}{parameters} {operands};'"
        self._report.invalid(node, message)
        return True

    def without_qubits(self, node: Any) -> None:
        self._report.invalid(node, f"gate '{node.name}' needs qubits: write '{node.name} q[0];'")

    def _look_up(self, node: Any) -> Symbol | None:
        """The gate that a call names; None if nothing more can be checked."""
        name = node.name.name
        symbol = self._scopes.get(name)
        if symbol is not None and symbol.kind in ("gate", "def"):
            return symbol
        if symbol is not None:
            if symbol.kind != "unknown":
                self._report.invalid(node.name, f"'{name}' is {described(symbol)}, not a gate")
            return None
        library = _LIBRARY if self._included else BUILTIN_GATES
        if (found := self._dialect.get(name) or library.get(name)) is not None:
            return Symbol("gate", parameters=found.parameters, qubits=found.qubits)
        self._report.invalid(node.name, self._undefined(name))
        self._scopes.define_globally(name, UNKNOWN)
        self._scopes.define(name, UNKNOWN)
        return None

    def _undefined(self, name: str) -> str:
        if name in ("import", "from"):
            return f"'{name}' is Python: remove this line; the standard gates come with 'include \"stdgates.inc\";'"
        if name == self._scopes.gate:
            return f"gate '{name}' is not defined before its own end: a gate cannot call itself"
        if (later := self._expressions.later.get(name)) is not None:
            return f"gate '{name}' is not defined before line {later}: move its definition before this line"
        if self._in_dialect and name in OF_STANDARD:
            return messages.named_otherwise(name, OF_STANDARD[name])
        if name in STANDARD_GATES and not self._in_dialect:
            self._included = True  # one message for all of them
            return messages.missing_include(name)
        known = self._known_gates()
        hint = did_you_mean(name, known)
        if not hint and self._included and ALIASES.get(name) in STANDARD_GATES:
            hint = f": did you mean '{ALIASES[name]}'?"
        if (
            not hint
            and not self._included
            and not self._in_dialect
            and (meant := suggestion(name, _SUGGESTED)) is not None
        ):
            self._included = True
            hint = f": did you mean '{meant}'? It needs 'include \"stdgates.inc\";' at the beginning, too"
        if not hint:
            hint = f": define it before it is called, as in 'gate {name} a {{ ... }}'"
        return f"gate '{name}' is not defined{hint}"

    def _known_gates(self) -> frozenset[str]:
        own = {name for name in self._scopes.names() if self.is_gate(name)}
        words = {"measure", "reset", "barrier", "gphase", "U"}
        return frozenset(own | words | BRAKET & self._dialect.keys() | (_SUGGESTED if self._included else set()))

    @property
    def _in_dialect(self) -> bool:
        return "U" in self._dialect

    def _operand(self, node: Any) -> int | None:
        if self._scopes.gate is not None and isinstance(node, ast.IndexedIdentifier):
            symbol = self._scopes.get(node.name.name)
            if symbol is not None and symbol.kind == "qubit":
                example = f"'gate {self._scopes.gate} a, b'"
                message = f"the qubits of a gate definition have no indices: name each of them, as in {example}"
                self._report.invalid(node, message)
                return UNKNOWN_SIZE
        return self._expressions.qubits(node)

    def _check_parameters(self, node: Any, name: str, takes: int) -> bool:
        given = len(node.arguments)
        if given == takes:
            return True
        place = node.arguments[takes] if given > takes else node.name
        message = f"gate '{name}' takes {messages.plural(takes, 'parameter')}, not {given}"
        if given < takes and node.qubits:
            angles = ", ".join(["pi / 2"] * takes)
            what = "it" if takes == 1 else "them"
            message += f": write {what} in parentheses, as in '{name}({angles}) {_operands(node.qubits)};'"
        elif given == 2 and takes == 1 and all(isinstance(one, ast.IntegerLiteral) for one in node.arguments):
            point = ".".join(map(written, node.arguments))
            message += f": a decimal number has a point, as in '{name}({point}) {_operands(node.qubits)};'"
        elif not takes and node.qubits:
            message += f": write '{name} {_operands(node.qubits)};'"
        self._report.invalid(place, message)
        return False

    def _check_qubits(self, node: Any, name: str, takes: int) -> bool:
        controls = self._controls(node)
        if controls is None:
            return False
        takes, given = takes + controls, len(node.qubits)
        if given == takes:
            return True
        note = ", its controls included" if controls else ""
        message = f"gate '{name}' takes {messages.plural(takes, 'qubit')}{note}, not {given}"
        if given < takes and not controls:
            message += f": name each of them, as in '{name}{_parameters(node)} {_examples(node.qubits, takes)};'"
        elif takes == 1 and not node.arguments and not controls:
            calls = " ".join(f"{name} {written_operand(one)};" for one in node.qubits[:2])
            message += f": call it for each of them, '{calls}'" + (" and so on" if given > 2 else "")
        self._report.invalid(node.qubits[takes] if given > takes else node.name, message)
        return False

    def _controls(self, node: Any) -> int | None:
        total = 0
        for modifier in filter(is_control, node.modifiers):
            number = 1 if modifier.argument is None else self._expressions.integer(modifier.argument)
            if number is None or number < 1:
                return None
            total += number
        return total

    def _check_sizes(self, node: Any, sizes: Sequence[int | None]) -> None:
        registers = [
            (qubit, size) for qubit, size in zip(node.qubits, sizes, strict=True) if size not in (None, UNKNOWN_SIZE)
        ]
        for qubit, size in registers[1:]:
            first, expected = registers[0]
            if size != expected:
                message = (
                    f"'{written_operand(first)}' has {messages.plural(expected or 0, 'qubit')} and "
                    f"'{written_operand(qubit)}' has {size}: registers in one call need the same size"
                )
                self._report.invalid(qubit, message)
                return

    def _check_different(self, node: Any, name: str) -> None:
        seen: set[str] = set()
        for qubit in node.qubits:
            place = self._identity(qubit)
            if place is None:
                continue
            base = place.partition("[")[0]
            if place in seen or base in seen or (place == base and any(one.partition("[")[0] == base for one in seen)):
                self._report.invalid(qubit, messages.same_qubit_twice(place, name))
                return
            seen.add(place)

    def _identity(self, node: Any) -> str | None:
        """A qubit or register by its name and index, if these are known."""
        if isinstance(node, ast.Identifier):
            return str(node.name)
        if len(node.indices) != 1 or not isinstance(node.indices[0], list) or len(node.indices[0]) != 1:
            return None
        value, symbol = self._expressions.integer(node.indices[0][0]), self._scopes.get(node.name.name)
        if value is None or symbol is None or symbol.size in (None, UNKNOWN_SIZE):
            return None
        size = symbol.size or 0
        return f"{node.name.name}[{value + size if value < 0 else value}]"


def _parameters(node: Any) -> str:
    return f"({', '.join(map(written, node.arguments))})" if node.arguments else ""


def _examples(qubits: Sequence[Any], number: int) -> str:
    """An example of operands: this number of qubits of the register in a call."""
    first = qubits[0] if qubits else None
    name = first.name.name if isinstance(first, ast.IndexedIdentifier) else first.name if first is not None else "q"
    return ", ".join(f"{name}[{place}]" for place in range(min(number, 4)))


def written_operand(node: Any) -> str:
    return written(node)


def _operands(qubits: Sequence[Any]) -> str:
    return ", ".join(map(written_operand, qubits))

"""Finds the outline of an OpenQASM 2 program without parsing it; `reader.py` calls it before Qiskit's reader.

Source: Cross et al., "Open Quantum Assembly Language", arXiv:1707.03429, appendix A (grammar).
"""

import re
from collections import Counter

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.frontend.openqasm2.costs import check_costs
from ketline.execution.frontend.openqasm2.outline import DELAY, Body, Outline, Signature
from ketline.execution.frontend.openqasm2.statements import DECLARATIONS, Statement, error_at, statements
from ketline.execution.limits import ExecutionLimits

_REGISTER = re.compile(r"\s*(?P<name>\w+)\s*\[\s*(?P<size>[0-9]+)\s*]\s*")
_SIGNATURE = re.compile(r"\s*(?P<name>\w+)\s*(?:\((?P<parameters>[^()]*)\))?(?P<qubits>[^()]*)")
_NAME = re.compile(r"\w+")
# Qiskit's reader panics over an index that no machine word holds.
_LONG_INDEX = re.compile(r"\[\s*[0-9]{10}")
_MAX_DIGITS = 9
# In Qiskit's reader each definition has a list of those before it.
_MAX_DEFINITIONS = 4096
_MAX_DEFINITION_DEPTH = 250
# Qiskit's reader keeps these expressions as trees, and overflows the stack where it frees a deep one.
_MAX_OPERATORS = 1000
_OPERATOR = re.compile(r"[-+*/^(]")


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
        self._body = Body()
        self._declared: Counter[str] = Counter()

    def read(self) -> Outline:
        calls: Counter[str] = Counter()
        bare = self._outline.called_bare
        for statement in statements(self._text):
            word, rest = statement.word, statement.rest
            if statement.inside:
                self._inside(statement)
            elif word in DECLARATIONS:
                self._declare(statement)
            else:
                calls[word] += 1
                if statement.condition is not None:
                    self._conditional(statement)
            if word not in bare and not rest.lstrip().startswith("("):
                bare.add(word)
        check_costs(self._text, self._outline, calls, self._limits)
        return self._outline

    def _declare(self, statement: Statement) -> None:
        match statement.word:
            case "qreg":
                self._register(statement, self._outline.qubits, "qubits", self._limits.max_qubits)
            case "creg":
                self._register(statement, self._outline.bits, "bits", self._limits.max_bits)
            case "gate":
                self._body = Body()
                self._gate(statement, self._body)
            case "opaque" if _signature(statement.rest) != DELAY:
                self._gate(statement, Body(is_opaque=True))

    def _register(self, statement: Statement, registers: dict[str, int], what: str, most: int) -> None:
        if (found := _REGISTER.fullmatch(statement.rest)) is None:
            return
        digits = found["size"].lstrip("0") or "0"
        # A register without elements takes time as well.
        self._declared[what] += max(1, int(digits)) if len(digits) <= _MAX_DIGITS else most + 1
        if self._declared[what] > most:
            raise error_at(self._text, statement, ProgramTooLarge, f"a program can declare up to {most} {what} here")
        registers[found["name"]] = int(digits)

    def _gate(self, statement: Statement, body: Body) -> None:
        if (found := _signature(statement.rest)) is None:
            return
        name, signature = found
        self._outline.gates[name] = signature
        self._outline.bodies[name] = body
        if len(self._outline.bodies) > _MAX_DEFINITIONS:
            raise error_at(
                self._text, statement, ProgramTooLarge, f"a program can define up to {_MAX_DEFINITIONS} gates here"
            )

    def _inside(self, statement: Statement) -> None:
        if len(statement.rest) > _MAX_OPERATORS and len(_OPERATOR.findall(statement.rest)) > _MAX_OPERATORS:
            message = f"a call in the definition of a gate has more than {_MAX_OPERATORS} operators"
            raise error_at(self._text, statement, ProgramUnsupported, message)
        body, called = self._body, self._outline.bodies.get(statement.word)
        if called is None or called is body:
            body.operations += 1
            return
        body.operations = min(body.operations + max(1, called.operations), self._limits.max_operations + 1)
        body.depth = max(body.depth, called.depth + 1)
        body.is_opaque = body.is_opaque or called.is_opaque
        if body.depth > _MAX_DEFINITION_DEPTH:
            message = f"the definitions of gates nest more than {_MAX_DEFINITION_DEPTH} deep"
            raise error_at(self._text, statement, ProgramUnsupported, message)

    def _conditional(self, statement: Statement) -> None:
        self._outline.has_conditions = True
        if statement.word == "measure":
            width = self._outline.width(statement.rest)
            self._outline.conditional_measurements.append(width)
            target = _NAME.search(statement.rest.partition("->")[2])
            if width > 1 and target is not None and target[0] == statement.condition:
                self._outline.decides_own_bits = True


def _signature(declared: str) -> tuple[str, Signature] | None:
    """The name and the signature of a gate, from the text after `gate` or `opaque`."""
    found = _SIGNATURE.fullmatch(declared)
    if found is None:
        return None
    parameters = len(_NAME.findall(found["parameters"] or ""))
    return found["name"], Signature(parameters, len(_NAME.findall(found["qubits"])))

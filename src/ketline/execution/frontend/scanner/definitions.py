"""Reads the definitions of gates in flat programs (no variables or control flow). Used by `statements.py`."""

import re
from collections.abc import Iterator, Mapping

from ketline.execution.frontend.scanner.constants import CONSTANTS, values_of
from ketline.execution.frontend.scanner.gates import DefinedGate, Gate, InnerCall, defined_gate
from ketline.execution.frontend.scanner.lexicon import BLANK, BLANKS, IDENTIFIER, KEYWORDS, STATEMENT, Declined

_HEAD = re.compile(rf"{BLANK}*+gate{BLANK}++({IDENTIFIER}){BLANK}*+(?:\(([^()]*+)\))?([^()]*+)", re.DOTALL)
_NAME = re.compile(rf"{BLANK}*+({IDENTIFIER}){BLANK}*+")


def read_definition(piece: str, pieces: Iterator[str], gates: Mapping[str, Gate]) -> tuple[str, DefinedGate, str]:
    """The name of a gate, its definition, and the text after it up to the next semicolon.

    `piece` begins with the definition, `pieces` are the texts between the following semicolons.

    Raises:
        Declined: the definition contains more than calls of `gates`, phases and barriers.
    """
    start, brace, text = piece.partition("{")
    head = _HEAD.fullmatch(start)
    if head is None or not brace:
        raise Declined
    statements, rest = _split_body(text, pieces)
    body = _Body(_names(head[2] or "", may_be_empty=True), _names(head[3]), gates)
    for statement in statements:
        body.read(statement)
    return head[1], body.gate(), rest


def _split_body(text: str, pieces: Iterator[str]) -> tuple[list[str], str]:
    statements = []
    while "}" not in text:
        statements.append(text)
        following = next(pieces, None)
        if following is None:
            raise Declined
        text = following
    last, _, rest = text.partition("}")
    if last.strip(BLANKS):
        raise Declined
    return statements, rest


def _names(text: str, *, may_be_empty: bool = False) -> dict[str, int]:
    """The position of each name in a list of names."""
    if may_be_empty and not text.strip(BLANKS):
        return {}
    found = [_NAME.fullmatch(part) for part in text.split(",")]
    names = {name[1]: position for position, name in enumerate(found) if name and name[1] not in KEYWORDS}
    if len(names) != len(found):
        raise Declined
    return names


class _Body:
    def __init__(self, parameters: Mapping[str, int], qubits: Mapping[str, int], gates: Mapping[str, Gate]) -> None:
        if parameters.keys() & qubits.keys() or qubits.keys() & CONSTANTS.keys():
            raise Declined
        self._parameters = parameters
        self._qubits = qubits
        self._gates = gates
        self._calls: list[InnerCall] = []
        self._barriers = 0

    def gate(self) -> DefinedGate:
        return defined_gate(tuple(self._parameters), len(self._qubits), tuple(self._calls), self._barriers)

    def read(self, text: str) -> None:
        statement = STATEMENT.fullmatch(text)
        if statement is None:
            raise Declined
        name, arguments, operands = statement.groups()
        if name == "barrier" and arguments is None:
            self._positions(operands)
            self._barriers += 1
        elif name == "gphase":
            self._read_phase(arguments or "", operands)
        else:
            self._read_call(name, arguments or "", operands)

    def _read_phase(self, arguments: str, operands: str) -> None:
        values = values_of(arguments, self._parameters)
        if len(values) != 1 or operands.strip(BLANKS):
            raise Declined
        self._calls.append(InnerCall(None, values, ()))

    def _read_call(self, name: str, arguments: str, operands: str) -> None:
        gate = self._gates.get(name)
        values, qubits = values_of(arguments, self._parameters), self._positions(operands)
        hidden = name in self._parameters or name in self._qubits
        if gate is None or hidden or (len(values), len(qubits)) != (gate.parameters, gate.qubits):
            raise Declined
        self._calls.append(InnerCall(gate, values, qubits))

    def _positions(self, operands: str) -> tuple[int, ...]:
        """The positions of a statement's qubits among the gate's qubits; they must differ."""
        names = _names(operands)
        if not names.keys() <= self._qubits.keys():
            raise Declined
        return tuple(self._qubits[name] for name in names)

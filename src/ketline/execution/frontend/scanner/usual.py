"""Reads the usual statements of flat programs by splitting their text, several times faster than by patterns.

These are calls of library gates with constant arguments, and measurements of one qubit. `statements.py` reads all
others, and those here that are written in an unusual way.
"""

from collections.abc import Mapping

from qiskit.circuit import CircuitInstruction, Clbit, Measure, Qubit

from ketline.execution.frontend.scanner.constants import decimals_of, evaluate, values_of
from ketline.execution.frontend.scanner.gates import Expansion, Gate, StandardGate, expand
from ketline.execution.frontend.scanner.inputs import Inputs
from ketline.execution.frontend.scanner.lexicon import BLANKS, Declined
from ketline.execution.frontend.scanner.registers import Registers

# `instruction_of` makes a circuit's instructions of this.
MEASUREMENT = CircuitInstruction(Measure(), (Qubit(),), (Clbit(),))

_MEASURED = " = measure "

# The part of a call before its operands: the gate and its arguments.
_Head = tuple[StandardGate, tuple[float, ...]]


class UsualStatements:
    """Reads the usual statements of one program."""

    def __init__(self, registers: Registers, inputs: Inputs) -> None:
        self._registers = registers
        self._inputs = inputs
        self._gates: dict[str, StandardGate] = {}  # by all that precedes the arguments
        self._heads: dict[str, _Head] = {}

    def read(self, piece: str, gates: Mapping[str, Gate]) -> Expansion | None:
        """The operations that a statement adds to the circuit; None if it is not a usual one, or not valid.

        Raises:
            Declined: it is not valid.
        """
        start, closed, operands = piece.partition(")")
        if not closed:
            start, _, operands = piece.partition(" ")
            if "(" in start:
                return None
        head = self._heads.get(start) or self._read_head(start, gates)
        if head is None:
            return self._measurement(piece)
        gate, arguments = head
        applications = self._registers.usual_applications(operands)
        if applications is None or len(applications[0]) != gate.qubits:
            return None
        if len(applications) > 1 or gate.phase is not None:
            return expand(gate, arguments, applications)
        return 1, [(gate.name, applications[0], (), arguments, gate.kind)], []

    def _read_head(self, start: str, gates: Mapping[str, Gate]) -> _Head | None:
        name, opened, text = start.partition("(")
        gate = self._gates.get(name) or self._library_gate(name, gates)
        if gate is None or "(" in text:
            return None
        decimals = decimals_of(text)
        if decimals is not None and len(decimals) == gate.parameters:
            return gate, decimals  # programs repeat few of these
        if opened and self._inputs.types:
            return None  # its arguments may depend on them
        arguments = values_of(text) if opened else ()
        if len(arguments) != gate.parameters:
            raise Declined
        head = self._heads[start] = gate, tuple([float(evaluate(value, {})) for value in arguments])
        return head

    def _library_gate(self, name: str, gates: Mapping[str, Gate]) -> StandardGate | None:
        gate = gates.get(name.strip(BLANKS))
        if not isinstance(gate, StandardGate):
            return None
        self._gates[name] = gate
        return gate

    def _measurement(self, piece: str) -> Expansion | None:
        target, measured, source = piece.partition(_MEASURED)
        pair = self._registers.usual_measurement(source, target) if measured else None
        if pair is None:
            return None
        qubit, bit = pair
        return 1, [("measure", (qubit,), (bit,), (), MEASUREMENT)], []

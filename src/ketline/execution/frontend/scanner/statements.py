"""Reads a flat program (gates, measurements and branches, no classical variables or loops) by statements.

`scan.py` calls it.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from operator import length_hint
from typing import Any, ClassVar

from qiskit.circuit import Barrier, CircuitInstruction, Qubit, Reset

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.circuit.operations import Step
from ketline.execution.circuit.plain import PlainCircuit
from ketline.execution.frontend.scanner.branches import Branches
from ketline.execution.frontend.scanner.constants import Value
from ketline.execution.frontend.scanner.definitions import read_definition
from ketline.execution.frontend.scanner.gates import (
    Expansion,
    Gate,
    braket_gates,
    builtin_gates,
    standard_gates,
)
from ketline.execution.frontend.scanner.inputs import Inputs
from ketline.execution.frontend.scanner.layout import Block
from ketline.execution.frontend.scanner.lexicon import BLANK, BLANKS, Declined, without_comments
from ketline.execution.frontend.scanner.natives import Natives
from ketline.execution.frontend.scanner.registers import Registers, members
from ketline.execution.frontend.scanner.syntax import statement_of
from ketline.execution.frontend.scanner.usual import MEASUREMENT, UsualStatements
from ketline.execution.limits import ExecutionLimits

_MAX_STATEMENT_CHARACTERS = 1 << 16
# The most steps of calls of defined gates, as a multiple of the operations that a program may have.
_STEPS_PER_OPERATION = 8
_MAX_BARRIERS = 64

_HEADER = re.compile(rf"{BLANK}*+OPENQASM[ \t\r\n]++3(?:\.[01])?{BLANK}*+")
_USUAL_HEADER = "OPENQASM 3.0"
_DEFINITION = re.compile(rf"{BLANK}*+gate{BLANK}")

_BUILTIN_GATES = builtin_gates()
_STANDARD_GATES = standard_gates()
_WITH_STANDARD = _BUILTIN_GATES | _STANDARD_GATES
_STANDARD_NAMES = frozenset(_STANDARD_GATES)
# Statements that no block can contain.
_OUTERMOST = frozenset({"declare bits", "declare input", "declare qubits", "include"})
_BRAKET_GATES = braket_gates()
# `instruction_of` makes a circuit's instructions of this.
_RESET = CircuitInstruction(Reset(), (Qubit(),))


@lru_cache(_MAX_BARRIERS)
def barrier_of(width: int) -> CircuitInstruction:
    return CircuitInstruction(Barrier(width), [Qubit() for _ in range(width)])


class ProgramScanner:
    """Reads one program; `registers` has its declarations, and `inputs` those of inputs.

    A program that declares inputs is read only if it `takes_inputs`. With `recognise` False, defined gates are always
    expanded.
    """

    def __init__(self, limits: ExecutionLimits, *, takes_inputs: bool = False, recognise: bool = True) -> None:
        self._recognise = recognise
        self.registers = Registers(limits)
        self.inputs = Inputs()
        self._takes_inputs = takes_inputs
        self._usual = UsualStatements(self.registers, self.inputs)
        self._most_operations = self._operations_left = limits.max_operations
        self._steps_left = limits.max_operations * _STEPS_PER_OPERATION
        self._gates: dict[str, Gate] = _BUILTIN_GATES.copy()
        self._branches = Branches(self.registers)
        self._steps: list[Step] = self._branches.program.steps  # those of the block that is read
        self._pieces: Iterator[str] = iter(())
        self._piece_count = 0
        self._natives = Natives("")
        self.braket_names: set[str] = set()  # the gates that the program calls and has only in Braket's dialect

    def read(self, text: str) -> PlainCircuit:
        """The circuit of a program.

        If it has inputs, parameters of steps are functions of their values, and Qiskit's circuit has no operations.

        Raises:
            Declined: it is not a valid flat program, or declares more than the limits.
            ProgramTooLarge: it has more operations than the limit, whatever follows them.
        """
        statements = without_comments(text)
        *pieces, rest = statements.split(";")
        if not pieces or rest.strip(BLANKS + "}"):
            raise Declined
        if len(text) > _MAX_STATEMENT_CHARACTERS and max(map(len, pieces)) > _MAX_STATEMENT_CHARACTERS:
            raise Declined
        self._natives = Natives(text, recognise=self._recognise)
        self._piece_count = len(pieces)
        self._pieces = iter(pieces)
        if pieces[0] == _USUAL_HEADER or _HEADER.fullmatch(pieces[0]):
            next(self._pieces)
        self._read_statements(self._in_blocks() if "if" in statements else self._pieces)
        self._branches.end(rest)
        if self.braket_names and (self.registers.mixes_qubits or self._branches.found):
            raise Declined
        if self.inputs.types:
            return self._plain_with_inputs()
        return self.registers.layout.plain(self._branches.program)

    def _plain_with_inputs(self) -> PlainCircuit:
        if self._branches.found:
            raise Declined
        empty, steps = self.registers.layout.plain(Block()), self._branches.program.steps
        return PlainCircuit(empty.num_qubits, empty.num_clbits, lambda: steps, lambda: empty.circuit)

    @property
    def statements_read(self) -> int:
        """The number of semicolons before the current statement."""
        return self._piece_count - length_hint(self._pieces) - 1

    def _in_blocks(self) -> Iterator[str]:
        """The statements, without the branches that they are in."""
        for piece in self._pieces:
            yield self._enter(piece)
            self._branches.leave()

    def _enter(self, text: str) -> str:
        """Read what begins and ends blocks at the start of a text, and return the rest."""
        rest = self._branches.enter(text)
        self._steps = self._branches.block.steps
        return rest

    def _read_statements(self, pieces: Iterator[str]) -> None:
        # The same text always calls the same gate on the same qubits, because no name can be declared twice.
        calls: dict[str, Expansion] = {}
        for piece in pieces:
            call = calls.get(piece)
            if call is None:
                text = self._read_definitions(piece) if "{" in piece else piece
                call = self._usual.read(text, self._gates) or self._read_statement(text)
                if call is None:
                    continue
                calls[text] = call
            size, steps, phases = call
            self._operations_left -= size
            if self._operations_left < 0:
                raise self._too_large()
            self._steps += steps
            if phases:
                self._add_phase(*phases)

    def _read_definitions(self, piece: str) -> str:
        """Read the definitions of gates at the beginning of a piece, and return the rest."""
        while _DEFINITION.match(piece):
            if self._branches.is_inside:
                raise Declined
            name, gate, piece = read_definition(piece, self._pieces, self._gates)
            self.registers.claim(name)
            if name in self.braket_names:
                raise Declined
            self._gates[name] = gate
            piece = self._enter(piece)
        return piece

    def _read_statement(self, piece: str) -> Expansion | None:
        """Read a statement; return the operations of a call of a gate, which the caller writes."""
        action, arguments = statement_of(piece, self.inputs.values_of if self.inputs.types else None)
        if action in _OUTERMOST and self._branches.is_inside:
            raise Declined
        return self._ACTIONS[action](self, *arguments)

    def _call(self, name: str, arguments: tuple[Any, ...], operands: str) -> Expansion:
        gate = self._gates.get(name) or self._braket_gate(name)
        applications = self.registers.applications(operands)
        if len(arguments) != gate.parameters or len(applications[0]) != gate.qubits:
            raise Declined
        if gate.size * len(applications) > self._operations_left:
            raise self._too_large()
        self._steps_left -= gate.cost * len(applications)
        if self._steps_left < 0:
            raise Declined
        return self._natives.expand(name, gate, arguments, applications)

    def _braket_gate(self, name: str) -> Gate:
        """A gate that a program without an include calls by its name in Braket."""
        if name not in _BRAKET_GATES or self.registers.has_include:
            raise Declined
        self.braket_names.add(name)
        return _BRAKET_GATES[name]

    def _add_phase(self, *phases: Value) -> None:
        self._branches.block.phases += [phase for phase in phases if not callable(phase)]

    def _include(self) -> None:
        if self.braket_names:
            raise Declined
        self.registers.include(_STANDARD_NAMES)
        self._gates = (
            _WITH_STANDARD.copy() if len(self._gates) == len(_BUILTIN_GATES) else self._gates | _STANDARD_GATES
        )

    def _declare_qubits(self, name: str, size: int | None) -> None:
        self.registers.declare_qubits(name, size)

    def _declare_input(self, name: str, type_name: str) -> None:
        if not self._takes_inputs:
            raise Declined
        self.registers.claim(name)
        self.inputs.declare(name, type_name)

    def _declare_bits(self, name: str, size: int | None, measured: str | None) -> None:
        self.registers.declare_bits(name, size)
        if measured is not None:
            self._measure(measured, name)

    def _measure(self, measured: str, target: str) -> None:
        qubits, bits = self._one_operand(measured), self.registers.bits(target)
        if len(qubits) != len(bits):
            raise Declined
        self._spend(len(qubits))
        pairs = zip(qubits, bits, strict=True)
        self._steps += [("measure", (qubit,), (bit,), (), MEASUREMENT) for qubit, bit in pairs]

    def _reset(self, operand: str) -> None:
        qubits = self._one_operand(operand)
        self._spend(len(qubits))
        self._steps += [("reset", (qubit,), (), (), _RESET) for qubit in qubits]

    def _barrier(self, operands: str) -> None:
        qubits = self.registers.flat_qubits(operands)
        self._steps.append(("barrier", qubits, (), (), barrier_of(len(qubits))))

    def _delay(self, operands: str) -> None:
        if operands.strip(BLANKS):
            self.registers.qubits(operands)

    def _one_operand(self, text: str) -> tuple[Any, ...]:
        operands = self.registers.qubits(text)
        if len(operands) != 1:
            raise Declined
        return members(operands[0])

    def _spend(self, operations: int) -> None:
        self._operations_left -= operations
        if self._operations_left < 0:
            raise self._too_large()

    def _too_large(self) -> ProgramTooLarge:
        # Not declined: the parser would take minutes to give the same error.
        return ProgramTooLarge(f"the program expands to more than {self._most_operations} operations")

    # Functions, because bound methods would put each scanner and its circuit into a reference cycle.
    _ACTIONS: ClassVar[dict[str, Callable[..., Expansion | None]]] = {
        "barrier": _barrier,
        "call": _call,
        "declare bits": _declare_bits,
        "declare input": _declare_input,
        "declare qubits": _declare_qubits,
        "delay": _delay,
        "global phase": _add_phase,
        "include": _include,
        "measure": _measure,
        "reset": _reset,
    }

"""Writes a flat program for the base profile of QIR: gates first, then measurements, then the output.

Source: https://github.com/qir-alliance/qir-spec, `Base_Profile.md`.

`writer.py` calls it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.conversion.formulas import Bit, Formula
from ketline.execution.conversion.qir.gates import calls_of
from ketline.execution.conversion.qir.module import ModuleBuilder
from ketline.execution.conversion.qir.records import record
from ketline.execution.conversion.qir.state import InResult
from ketline.execution.conversion.statements import (
    Apply,
    Assign,
    Barrier,
    FlatProgram,
    Measure,
    Reset,
    Statement,
)


def write_base(program: FlatProgram, numbers: Mapping[int, int], names: Sequence[str], module: ModuleBuilder) -> None:
    """Write a program into a module; `numbers` maps its qubits to the module's, `names` are the names of its registers.

    Raises:
        ProgramUnsupported: this profile cannot express a statement; the error has its line and column.
        ProgramTooLarge: the module becomes larger than a result may be.
    """
    _Writer(program, numbers, module).write(names)


class _Writer:
    def __init__(self, program: FlatProgram, numbers: Mapping[int, int], module: ModuleBuilder) -> None:
        self._program = program
        self._numbers = numbers
        self._module = module
        self._entry = self._module.block("entry")
        self._body = self._module.block("body")
        self._measurements = self._module.block("measurements")
        self._used: set[int] = set()
        self._measured: set[int] = set()
        # The result that each bit holds, or a constant.
        self._bits: list[int | bool] = [False] * program.bits
        self._constants: dict[bool, int] = {}

    def write(self, names: Sequence[str]) -> None:
        for number, statement in enumerate(self._program.statements):
            reason = self._written(statement)
            if reason:
                raise self._rejected(reason, number)
        values = [InResult(self._result(value)) for value in self._program.outputs]
        output = self._module.block("output")
        record(self._module, output, self._program.registers, names, values)
        self._module.finish(output)
        self._module.initialize(self._entry)
        for block, successor in pairwise((self._entry, self._body, self._measurements, output)):
            self._module.jump(block, successor)

    def _written(self, statement: Statement) -> str | None:
        """Write a statement, or return the reason why this profile cannot express it."""
        match statement:
            case Apply():
                return self._apply(statement)
            case Measure(qubit, bit):
                if qubit in self._measured:
                    return "a qubit is measured twice"
                self._measured.add(qubit)
                self._bits[bit] = self._measure(self._numbers[qubit])
                return None
            case Reset(qubit):
                # An unused qubit is already in state 0.
                return "a qubit is reset after it was used" if qubit in self._used or qubit in self._measured else None
            case Assign():
                return self._assign(statement)
            case Barrier():
                return None
        return "a branch or a loop depends on measured bits"

    def _apply(self, gate: Apply) -> str | None:
        if not self._measured.isdisjoint(gate.qubits):
            return "a gate acts on a qubit that was measured before"
        self._used.update(gate.qubits)
        for name, angles, operands in calls_of(gate):
            self._module.gate(self._body, name, angles, [self._numbers[qubit] for qubit in operands])
        return None

    def _assign(self, statement: Assign) -> str | None:
        match statement.value:
            case bool(value):
                self._bits[statement.bit] = value
            case Bit(index):
                self._bits[statement.bit] = self._bits[index]
            case _:
                return "a value is computed from measured bits"
        return None

    def _measure(self, number: int) -> int:
        result = self._module.results
        self._module.measure(self._measurements, number, result)
        self._module.results += 1
        return result

    def _result(self, value: Formula) -> int:
        """The number of the result with the final value of a bit."""
        held = self._bits[value.index] if isinstance(value, Bit) else value
        if isinstance(held, bool):
            return self._constant(held)
        if not isinstance(held, int):
            raise self._rejected("the final value of a bit is computed from measured bits")
        return held

    def _constant(self, value: bool) -> int:
        """The number of a result with this value: only results can be recorded, so an additional qubit is measured."""
        if value not in self._constants:
            number = self._module.qubits
            self._module.qubits += 1
            if value:
                self._module.gate(self._body, "x__body", (), [number])
            self._constants[value] = self._measure(number)
        return self._constants[value]

    def _rejected(self, reason: str, statement: int | None = None) -> ProgramUnsupported:
        place = None if statement is None else self._program.place(statement)
        line, column = place or (None, None)
        message = f"the base profile of QIR cannot express this: {reason}; use the profile 'adaptive'"
        return ProgramUnsupported(message, line=line, column=column)

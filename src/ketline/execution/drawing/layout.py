"""Arranges a circuit in rows and columns, for the SVG drawing: each operation in the first column with free rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from qiskit.circuit import ClassicalRegister, ControlFlowOp, ControlledGate

from ketline.execution.drawing.labels import condition_text, cut, expression_text, gate_label, parameter_text

_DOTTED = frozenset({"cz", "ccz", "cp", "cu1", "mcphase"})


class Symbol(Enum):
    """The symbol of an operation on the wires it acts on."""

    BOX = "box"
    TARGET = "target"
    DOT = "dot"
    SWAP = "swap"
    MEASURE = "measure"
    BARRIER = "barrier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An operation in its column: the rows it acts on, those that control it, and the row of bits it writes."""

    column: int
    symbol: Symbol
    rows: Sequence[int]
    controls: Sequence[int] = ()
    bit_row: int | None = None
    label: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame of a loop or branch around columns and rows, ends included; `depth` counts the frames around it."""

    first: int
    last: int
    top: int
    bottom: int
    label: str
    depth: int


@dataclass(slots=True, kw_only=True)
class Layout:
    """The names of the rows from the top, qubits before registers of bits, with the marks and frames on them."""

    qubits: Sequence[str]
    registers: Sequence[str]
    marks: list[Mark] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    columns: int = 0


def arrange(circuit: Any) -> Layout:
    """Lay out a circuit in which each bit is in exactly one register."""
    arranging = _Arranging(circuit)
    arranging.place(circuit, arranging.rows, depth=0)
    arranging.layout.columns = max(arranging.free, default=0)
    return arranging.layout


class _Arranging:
    def __init__(self, circuit: Any) -> None:
        self.names: dict[Any, str] = {}
        self.rows: dict[Any, int] = {}
        for row, qubit in enumerate(circuit.qubits):
            self.rows[qubit] = row
        for row, register in enumerate(circuit.cregs, start=circuit.num_qubits):
            self.rows |= dict.fromkeys(register, row)
        for register in (*circuit.qregs, *circuit.cregs):
            alone = len(register) == 1
            self.names |= {bit: register.name if alone else f"{register.name}[{at}]" for at, bit in enumerate(register)}
        self.layout = Layout(
            qubits=[self.names[qubit] for qubit in circuit.qubits],
            registers=[f"{register.name} / {len(register)}" for register in circuit.cregs],
        )
        # For each row the first column of those that are free to its right.
        self.free = [0] * (circuit.num_qubits + len(circuit.cregs))

    def place(self, circuit: Any, rows: Mapping[Any, int], *, depth: int) -> None:
        for instruction in circuit.data:
            if isinstance(instruction.operation, ControlFlowOp):
                self._place_frame(instruction, rows, depth)
            else:
                self._place_operation(instruction, rows)

    def _place_operation(self, instruction: Any, rows: Mapping[Any, int]) -> None:
        operation = instruction.operation
        acted = [rows[qubit] for qubit in instruction.qubits]
        bits = [rows[bit] for bit in instruction.clbits]
        match operation.name:
            case "measure":
                bit = self._name(instruction.clbits[0])
                self._add(Symbol.MEASURE, acted, bit_row=bits[0], note=bit)
            case "barrier":
                self._add(Symbol.BARRIER, acted)
            case "store":
                written = [rows[operation.lvalue.var]]
                self._add(Symbol.BOX, written, label=f"{self._text(operation.lvalue)} = {self._text(operation.rvalue)}")
            case _:
                self._place_gate(operation, acted or [0])

    def _place_gate(self, operation: Any, rows: Sequence[int]) -> None:
        controls = operation.num_ctrl_qubits if isinstance(operation, ControlledGate) else 0
        name = operation.base_gate.name if controls else operation.name
        symbol = _symbol(operation.name, name, controlled=controls > 0)
        label = gate_label(name) if symbol is Symbol.BOX else ""
        self._add(symbol, rows[controls:], controls=rows[:controls], label=label, note=parameter_text(operation))

    def _place_frame(self, instruction: Any, rows: Mapping[Any, int], depth: int) -> None:
        operation = instruction.operation
        inside = [rows[bit] for bit in (*instruction.qubits, *instruction.clbits)] or [0]
        top, bottom = min(inside), max(inside)
        first = self._take(top, bottom)
        for number, block in enumerate(operation.blocks):
            if number:
                self._add(Symbol.BARRIER, range(top, bottom + 1), label="else")
            inner = dict(zip(block.qubits, [rows[qubit] for qubit in instruction.qubits], strict=True))
            inner |= dict(zip(block.clbits, [rows[bit] for bit in instruction.clbits], strict=True))
            self.place(block, {**rows, **inner}, depth=depth + 1)
        last = self._take(top, bottom)
        label = condition_text(operation, self._name)
        self.layout.frames.append(Frame(first=first, last=last, top=top, bottom=bottom, label=label, depth=depth))

    def _add(
        self,
        symbol: Symbol,
        rows: Sequence[int],
        *,
        controls: Sequence[int] = (),
        bit_row: int | None = None,
        label: str = "",
        note: str = "",
    ) -> None:
        touched = [*rows, *controls, *([] if bit_row is None else [bit_row])]
        column = self._take(min(touched), max(touched))
        mark = Mark(column=column, symbol=symbol, rows=rows, controls=controls, bit_row=bit_row, label=label, note=note)
        self.layout.marks.append(mark)

    def _take(self, top: int, bottom: int) -> int:
        """Occupy and return the first column that is free in all these rows."""
        column = max(self.free[top : bottom + 1])
        self.free[top : bottom + 1] = [column + 1] * (bottom + 1 - top)
        return column

    def _name(self, bits: Any) -> str:
        return bits.name if isinstance(bits, ClassicalRegister) else self.names.get(bits, "?")

    def _text(self, expression: Any) -> str:
        return cut(expression_text(expression, self._name))


def _symbol(name: str, base: str, *, controlled: bool) -> Symbol:
    if name in _DOTTED:
        return Symbol.DOT
    if base == "swap":
        return Symbol.SWAP
    return Symbol.TARGET if base == "x" and controlled else Symbol.BOX

"""Circuits of pytket as OpenQASM 3, for `circuits.py`.

Registers keep their names, and bit i of a register its index. pytket shows the bits of an outcome from left to right
by register and index; the service shows bit 0 of each register rightmost.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
from math import pi
from typing import Any

from pytket import OpType

from ketline.client.convert.expressions import angle_text
from ketline.client.convert.program import ConvertedProgram
from ketline.client.convert.unitaries import unitary_calls
from ketline.client.convert.writer import Call, ProgramWriter
from ketline.client.errors import CircuitNotConvertible

# Gates whose parameters are those of the gate on the right, in half turns.
_NAMES = {
    OpType.BRIDGE: "bridge",
    OpType.CCX: "ccx",
    OpType.CH: "ch",
    OpType.CRx: "crx",
    OpType.CRy: "cry",
    OpType.CRz: "crz",
    OpType.CSWAP: "cswap",
    OpType.CSX: "csx",
    OpType.CSXdg: "csxdg",
    OpType.CU1: "cp",
    OpType.CV: "cv",
    OpType.CVdg: "cvdg",
    OpType.CX: "cx",
    OpType.CY: "cy",
    OpType.CZ: "cz",
    OpType.ECR: "ecr",
    OpType.FSim: "fsim",
    OpType.GPI: "gpi",
    OpType.GPI2: "gpi2",
    OpType.H: "h",
    OpType.ISWAP: "xy",
    OpType.ISWAPMax: "iswap",
    OpType.Phase: "gphase",
    OpType.PhasedX: "prx",
    OpType.Rx: "rx",
    OpType.Ry: "ry",
    OpType.Rz: "rz",
    OpType.S: "s",
    OpType.SWAP: "swap",
    OpType.SX: "sx",
    OpType.SXdg: "sxdg",
    OpType.Sdg: "sdg",
    OpType.T: "t",
    OpType.Tdg: "tdg",
    OpType.U1: "p",
    OpType.U3: "u",
    OpType.V: "v",
    OpType.Vdg: "vdg",
    OpType.X: "x",
    OpType.XXPhase: "rxx",
    OpType.Y: "y",
    OpType.YYPhase: "ryy",
    OpType.Z: "z",
    OpType.ZZMax: "zzmax",
    OpType.ZZPhase: "rzz",
}
_MULTIPLY_CONTROLLED = {
    OpType.CnX: "x",
    OpType.CnY: "y",
    OpType.CnZ: "z",
    OpType.CnRx: "rx",
    OpType.CnRy: "ry",
    OpType.CnRz: "rz",
}
# Gates that become several gates, each with its angles.
_SEVERAL: Mapping[Any, Callable[[Sequence[str]], Sequence[tuple[str, tuple[str, ...]]]]] = {
    OpType.TK1: lambda angles: [("rz", (angles[2],)), ("rx", (angles[1],)), ("rz", (angles[0],))],
    OpType.TK2: lambda angles: [("rxx", (angles[0],)), ("ryy", (angles[1],)), ("rzz", (angles[2],))],
    OpType.U2: lambda angles: [("u", ("pi / 2", angles[0], angles[1]))],
    OpType.CS: lambda _: [("cp", ("pi / 2",))],
    OpType.CSdg: lambda _: [("cp", ("-pi / 2",))],
    OpType.noop: lambda _: [],
}
# A gate without a counterpart is converted by its matrix up to this number of qubits.
_SMALL = 3


def program_of(circuit: Any) -> ConvertedProgram:
    """Convert a circuit."""
    return _Conversion(circuit).program()


class _Conversion:
    def __init__(self, circuit: Any) -> None:
        self._circuit = circuit
        self._writer = ProgramWriter()
        self._units = _declared(circuit.qubits, self._writer.qubits)
        self._units |= _declared(circuit.bits, self._writer.register)

    def program(self) -> ConvertedProgram:
        self._commands(self._circuit, {unit: unit for unit in (*self._circuit.qubits, *self._circuit.bits)})
        return self._writer.program()

    def _commands(self, circuit: Any, units: Mapping[Any, Any]) -> None:
        """Convert the commands of a circuit, or of a box, whose units are these units of the whole circuit."""
        if circuit.phase:
            self._writer.call(Call("gphase", (), (self._angle(circuit.phase),)))
        for command in circuit.get_commands():
            self._command(command.op, [units[unit] for unit in command.args])

    def _command(self, operation: Any, units: Sequence[Any]) -> None:
        texts = [self._units[unit] for unit in units]
        match operation.type:
            case OpType.Conditional:
                width = operation.width
                with self._writer.branch(_condition(texts[:width], operation.value)):
                    self._command(operation.op, units[width:])
            case OpType.Measure:
                self._writer.statement(f"{texts[1]} = measure {texts[0]};")
            case OpType.Reset:
                self._writer.statement(f"reset {texts[0]};")
            case OpType.Barrier:
                qubits = [text for text, unit in zip(texts, units, strict=True) if unit in self._circuit.qubits]
                self._writer.statement(f"barrier {', '.join(qubits)};")
            case OpType.SetBits:
                for text, value in zip(texts, operation.values, strict=True):
                    self._writer.statement(f"{text} = {int(value)};")
            case OpType.CopyBits:
                half = len(texts) // 2
                for source, target in zip(texts[:half], texts[half:], strict=True):
                    self._writer.statement(f"{target} = {source};")
            case _:
                self._gate(operation, units, tuple(texts))

    def _gate(self, operation: Any, units: Sequence[Any], qubits: tuple[str, ...]) -> None:
        calls = self._calls(operation, qubits) if operation.is_gate() else self._matrix_calls(operation, qubits)
        if calls is not None:
            self._writer.call(*calls)
        elif hasattr(operation, "get_circuit"):
            inside = operation.get_circuit()
            self._commands(inside, dict(zip((*inside.qubits, *inside.bits), units, strict=True)))
        else:
            raise CircuitNotConvertible(f"{operation} ({operation.type.name}) is not supported")

    def _matrix_calls(self, operation: Any, qubits: tuple[str, ...]) -> Sequence[Call] | None:
        return unitary_calls(operation.get_matrix(), qubits) if hasattr(operation, "get_matrix") else None

    def _calls(self, operation: Any, qubits: tuple[str, ...]) -> Sequence[Call] | None:
        kind = operation.type
        angles = tuple(self._angle(value) for value in operation.params)
        if kind in _NAMES:
            return [Call(_NAMES[kind], qubits, angles)]
        if kind in _SEVERAL:
            return [Call(name, qubits, its) for name, its in _SEVERAL[kind](angles)]
        if kind in _MULTIPLY_CONTROLLED:
            states = (True,) * (len(qubits) - 1)
            return [Call(_MULTIPLY_CONTROLLED[kind], qubits, angles, states)]
        if kind == OpType.CU3:
            return [Call("u", qubits, angles, (True,))]
        if kind == OpType.NPhasedX:
            return [Call("prx", (qubit,), angles) for qubit in qubits]
        if kind == OpType.PhaseGadget and qubits:  # without qubits it is a phase, of which `get_unitary` knows
            ladder = [Call("cx", pair) for pair in pairwise(qubits)]
            return [*ladder, Call("rz", qubits[-1:], angles), *reversed(ladder)]
        if len(qubits) <= _SMALL and not operation.free_symbols():
            return unitary_calls(operation.get_unitary(), qubits)
        return None

    def _angle(self, half_turns: Any) -> str:
        return angle_text(half_turns, self._writer, pi)


def _declared(units: Sequence[Any], declare: Callable[[str, int], Sequence[str]]) -> dict[Any, str]:
    """Declare registers of these units, and return the text of each unit."""
    texts: dict[Any, str] = {}
    for name, group in groupby(sorted(units), lambda unit: unit.reg_name):
        members = list(group)
        indices = [unit.index[0] if len(unit.index) == 1 else position for position, unit in enumerate(members)]
        declared = declare(name, max(indices) + 1)
        texts |= {unit: declared[index] for unit, index in zip(members, indices, strict=True)}
    return texts


def _condition(bits: Sequence[str], value: int) -> str:
    """That the bits, the first of them least significant, have this value."""
    return " && ".join(bit if value >> index & 1 else f"!{bit}" for index, bit in enumerate(bits)) or "true"

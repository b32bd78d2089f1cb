"""Circuits of Amazon Braket as OpenQASM 3, for `circuits.py`.

Qubits are numbered in ascending order without gaps. Bit i of the register `b` is the i-th measured qubit, which Braket
shows as the i-th character of an outcome: the service's bitstring is Braket's read from right to left. A circuit
without measurements gets one of all its qubits, because Braket measures them too.
"""

from collections.abc import Sequence
from typing import Any

import scipy.linalg
from braket.circuits import Circuit, Gate, Instruction, Measure, Noise
from braket.circuits.compiler_directives import EndVerbatimBox, StartVerbatimBox

from ketline.client.convert.expressions import angle_text
from ketline.client.convert.program import ConvertedProgram
from ketline.client.convert.unitaries import unitary_calls
from ketline.client.convert.writer import Call, ProgramWriter
from ketline.client.errors import CircuitNotConvertible

_NAMES = {
    "CCNot": "ccx",
    "CNot": "cx",
    "CPhaseShift": "cp",
    "CPhaseShift00": "cphase00",
    "CPhaseShift01": "cphase01",
    "CPhaseShift10": "cphase10",
    "CSwap": "cswap",
    "CV": "csx",
    "CY": "cy",
    "CZ": "cz",
    "ECR": "ecr",
    "GPhase": "gphase",
    "GPi": "gpi",
    "GPi2": "gpi2",
    "H": "h",
    "ISwap": "iswap",
    "MS": "ms",
    "PRx": "prx",
    "PSwap": "pswap",
    "PhaseShift": "p",
    "Rx": "rx",
    "Ry": "ry",
    "Rz": "rz",
    "S": "s",
    "Si": "sdg",
    "Swap": "swap",
    "T": "t",
    "Ti": "tdg",
    "U": "u",
    "V": "sx",
    "Vi": "sxdg",
    "X": "x",
    "XX": "rxx",
    "XY": "xy",
    "Y": "y",
    "YY": "ryy",
    "Z": "z",
    "ZZ": "rzz",
}
_ANGLES = ("angle", "angle_1", "angle_2", "angle_3")


def program_of(circuit: Circuit) -> ConvertedProgram:
    """Convert a circuit."""
    if circuit.result_types:
        kinds = ", ".join(sorted({type(each).__name__ for each in circuit.result_types}))
        raise CircuitNotConvertible(
            f"the circuit has result types ({kinds}): remove them, and give `observables` to the client for "
            "expectation values"
        )
    return _Conversion(circuit).program()


class _Conversion:
    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._writer = ProgramWriter()
        # The circuit's own set lacks the controls of a global phase.
        qubits = sorted({*circuit.qubits, *(qubit for each in circuit.instructions for qubit in each.control)})
        self._qubits = dict(zip(qubits, self._writer.qubits("q", len(qubits)), strict=True))

    def program(self) -> ConvertedProgram:
        instructions = self._circuit.instructions
        measured = [
            qubit for each in instructions if isinstance(each.operator, Measure) for qubit in each.target
        ] or sorted(self._qubits)
        bits = iter(self._writer.register("b", len(measured)))
        for instruction in instructions:
            if isinstance(instruction.operator, Measure):
                self._measure(instruction.target, [next(bits) for _ in instruction.target])
            else:
                self._instruction(instruction)
        remaining = list(bits)
        self._measure(measured[len(measured) - len(remaining) :], remaining)
        return self._writer.program()

    def _measure(self, qubits: Sequence[Any], bits: Sequence[str]) -> None:
        for qubit, bit in zip(qubits, bits, strict=True):
            self._writer.statement(f"{bit} = measure {self._qubits[qubit]};")

    def _instruction(self, instruction: Instruction) -> None:
        operator = instruction.operator
        if isinstance(operator, (StartVerbatimBox, EndVerbatimBox)):
            return  # an ideal simulation compiles nothing that the box would protect
        if operator.name == "Barrier":
            qubits = [self._qubits[qubit] for qubit in instruction.target] or list(self._qubits.values())
            self._writer.statement(f"barrier {', '.join(qubits)};")
            return
        if isinstance(operator, Noise):
            raise CircuitNotConvertible(f"{operator.name} is noise, which is not simulated")
        if not isinstance(operator, Gate) or operator.name == "PulseGate":
            raise CircuitNotConvertible(f"{operator.name} is not supported")
        states = tuple(bool(state) for state in instruction.control_state)
        controls = tuple(self._qubits[qubit] for qubit in instruction.control)
        qubits = [self._qubits[qubit] for qubit in instruction.target]
        for call in self._calls(operator, qubits, instruction.power):
            self._writer.call(call.controlled(controls, states))

    def _calls(self, gate: Gate, qubits: Sequence[str], power: float) -> Sequence[Call]:
        if gate.name == "I":
            return []
        if gate.name == "GPhase":
            return [Call("gphase", (), (angle_text(_formula(gate.angle), self._writer, power),))]
        if gate.name in _NAMES and power == 1:
            angles = [_formula(getattr(gate, name)) for name in _ANGLES if getattr(gate, name, None) is not None]
            return [Call(_NAMES[gate.name], tuple(qubits), tuple(angle_text(each, self._writer) for each in angles))]
        if any(getattr(_formula(each), "free_symbols", ()) for each in getattr(gate, "parameters", ())):
            raise CircuitNotConvertible(
                f"a power of {gate.name} with free parameters is not supported: give them values"
            )
        matrix = gate.to_matrix()
        return unitary_calls(matrix if power == 1 else scipy.linalg.fractional_matrix_power(matrix, power), qubits)


def _formula(angle: Any) -> Any:
    """The formula of SymPy in a Braket expression, or the number as it is."""
    return getattr(angle, "expression", angle)

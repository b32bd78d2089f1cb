"""Tapes and QNodes of PennyLane as OpenQASM 3, for `circuits.py`.

Wires are numbered in the order of the device, or in that of the tape. Each `counts`, `sample` or `probs` of wires is a
register (`c`, `c_1`, …) whose bit i is its i-th wire, so PennyLane's outcome is the service's bitstring read from right
to left. Each measurement inside the circuit has a register of its own: `m0`, `m1`, …
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pennylane

from ketline.client.convert.expressions import angle_text
from ketline.client.convert.program import ConvertedProgram
from ketline.client.convert.unitaries import MAX_QUBITS, unitary_calls
from ketline.client.convert.writer import Call, ProgramWriter
from ketline.client.errors import CircuitNotConvertible

_NAMES = {
    "CCZ": "ccz",
    "CH": "ch",
    "CNOT": "cx",
    "CPhaseShift00": "cphase00",
    "CPhaseShift01": "cphase01",
    "CPhaseShift10": "cphase10",
    "CRX": "crx",
    "CRY": "cry",
    "CRZ": "crz",
    "CSWAP": "cswap",
    "CY": "cy",
    "CZ": "cz",
    "ControlledPhaseShift": "cp",
    "ECR": "ecr",
    "Hadamard": "h",
    "ISWAP": "iswap",
    "IsingXX": "rxx",
    "IsingXY": "xy",
    "IsingYY": "ryy",
    "IsingZZ": "rzz",
    "PSWAP": "pswap",
    "PauliX": "x",
    "PauliY": "y",
    "PauliZ": "z",
    "PhaseShift": "p",
    "RX": "rx",
    "RY": "ry",
    "RZ": "rz",
    "S": "s",
    "SWAP": "swap",
    "SX": "sx",
    "T": "t",
    "Toffoli": "ccx",
    "U1": "p",
    "U3": "u",
}
# Rotations and phases whose angles are those of the program's gates.
GATES_WITH_ANGLES = frozenset((*_NAMES, "GlobalPhase", "Rot"))
_MEASUREMENTS = ("CountsMP", "SampleMP", "ProbabilityMP")
WITHOUT_EFFECT = ("Identity", "Snapshot", "WireCut")
# An operation without a counterpart is converted by its matrix up to this number of wires, else by its decomposition.
SMALL = 3
# A condition of more measurements is not written as the outcomes for which it holds.
_MAX_IN_CONDITION = 8

# Writes an angle times a factor, as `angle_text` does.
WriteAngle = Callable[[Any, ProgramWriter, float], str]


def program_of(
    circuit: Any, arguments: Sequence[Any] = (), keywords: Mapping[str, Any] | None = None
) -> ConvertedProgram:
    """Convert a tape, or a QNode called with these arguments."""
    wires: Any = ()
    if isinstance(circuit, pennylane.QNode):
        wires = circuit.device.wires or ()
        circuit = pennylane.workflow.construct_tape(circuit, level="user")(*arguments, **(keywords or {}))
    return program_of_tape(circuit, wires or circuit.wires)


def program_of_tape(
    tape: Any, wires: Sequence[Any], *, write_angle: WriteAngle = angle_text, postselects: bool = False
) -> ConvertedProgram:
    """Convert a tape with these wires, in this order.

    `write_angle` writes each angle of a gate of `GATES_WITH_ANGLES`. With `postselects` the caller selects the shots
    whose measurements inside the circuit have the outcome that the tape names.
    """
    return _Conversion(tape, wires, write_angle, postselects).program()


class _Conversion:
    def __init__(self, tape: Any, wires: Sequence[Any], write_angle: WriteAngle, postselects: bool) -> None:
        self._tape = tape
        self._write_angle = write_angle
        self._postselects = postselects
        self._writer = ProgramWriter()
        self._qubits = dict(zip(wires, self._writer.qubits("q", len(wires)), strict=True))
        self._outcomes: dict[Any, str] = {}  # of measurements inside the circuit, by the measurement

    def program(self) -> ConvertedProgram:
        for operation in self._tape.operations:
            self._operation(operation)
        for measurement in self._tape.measurements:
            self._measurement(measurement)
        return self._writer.program()

    def _operation(self, operation: Any) -> None:
        name = type(operation).__name__
        if name in ("MidMeasure", "MidMeasureMP"):
            self._measure_inside(operation)
        elif name == "Conditional":
            with self._writer.branch(self._condition(operation.meas_val)):
                self._operation(operation.base)
        elif name == "Barrier":
            qubits = [self._qubits[wire] for wire in operation.wires] or list(self._qubits.values())
            self._writer.statement(f"barrier {', '.join(qubits)};")
        elif isinstance(operation, pennylane.operation.Channel):
            raise CircuitNotConvertible(f"{operation.name} is a channel, which is not simulated")
        elif (calls := self._calls(operation)) is not None:
            self._writer.call(*calls)
        else:
            for part in _parts_of(operation):
                self._operation(part)

    def _measure_inside(self, measurement: Any) -> None:
        if measurement.postselect is not None and not self._postselects:
            raise CircuitNotConvertible("a measurement with `postselect` is not supported")
        (bit,) = self._writer.register(f"m{len(self._outcomes)}", 1)
        self._outcomes[measurement] = bit
        qubit = self._qubits[measurement.wires[0]]
        self._writer.statement(f"{bit} = measure {qubit};")
        if measurement.reset:
            self._writer.statement(f"reset {qubit};")

    def _condition(self, value: Any) -> str:
        """The outcomes of measurements for which a condition holds."""
        if len(value.measurements) > _MAX_IN_CONDITION:
            raise CircuitNotConvertible(f"a condition on {len(value.measurements)} measurements is not supported")
        try:
            bits = [self._outcomes[measurement] for measurement in value.measurements]
        except KeyError as error:
            raise CircuitNotConvertible("a condition comes before its measurement") from error
        holding = [outcome for outcome, holds in value.items() if holds]
        return " || ".join(_conjunction(bits, outcome) for outcome in holding) or "false"

    def _measurement(self, measurement: Any) -> None:
        name = type(measurement).__name__
        if name not in _MEASUREMENTS or measurement.obs is not None:
            raise CircuitNotConvertible(
                f"the measurement {measurement} is not supported: only counts, sample and probs of wires are; give "
                "`observables` to the client for expectation values"
            )
        if measurement.mv is not None:
            self._require_plain(measurement)
            return
        wires = measurement.wires or list(self._qubits)
        for wire, bit in zip(wires, self._writer.register("c", len(wires)), strict=True):
            self._writer.statement(f"{bit} = measure {self._qubits[wire]};")

    def _require_plain(self, measurement: Any) -> None:
        """Outcomes of measurements inside the circuit are registers already; values computed from them are not."""
        values = measurement.mv if isinstance(measurement.mv, (list, tuple)) else [measurement.mv]
        if any(value.has_processing for value in values):
            raise CircuitNotConvertible(
                f"{measurement} computes values from measurements: compute them from the counts"
            )

    def _calls(self, operation: Any) -> Sequence[Call] | None:
        """The calls of a unitary operation, or None where its decomposition has to be converted instead."""
        if getattr(operation, "batch_size", None):
            raise CircuitNotConvertible(
                f"{operation.name} has several values for a parameter: convert one tape for each"
            )
        qubits = tuple(self._qubits[wire] for wire in operation.wires)
        known = self._known(operation, qubits)
        if known is not None:
            return known
        if isinstance(operation, pennylane.ops.Controlled):
            calls = self._calls(operation.base)
            if calls is not None:
                controls = [self._qubits[wire] for wire in operation.control_wires]
                return [call.controlled(controls, list(map(bool, operation.control_values))) for call in calls]
        small = len(qubits) <= SMALL or (not operation.has_decomposition and len(qubits) <= MAX_QUBITS)
        if small and operation.has_matrix:
            return unitary_calls(pennylane.matrix(operation, wire_order=operation.wires), qubits)
        return None

    def _known(self, operation: Any, qubits: tuple[str, ...]) -> Sequence[Call] | None:
        if operation.name in WITHOUT_EFFECT:
            return []
        if operation.name == "GlobalPhase":
            return [Call("gphase", (), (self._angle(operation.data[0], -1.0),))]
        if operation.name == "Rot":
            angles = list(map(self._angle, operation.data))
            return [Call(gate, qubits, (angle,)) for gate, angle in zip(("rz", "ry", "rz"), angles, strict=True)]
        if operation.name not in _NAMES:
            return None
        return [Call(_NAMES[operation.name], qubits, tuple(map(self._angle, operation.data)))]

    def _angle(self, value: Any, factor: float = 1.0) -> str:
        return self._write_angle(value, self._writer, factor)


def _conjunction(bits: Sequence[str], outcome: Sequence[int]) -> str:
    return f"({' && '.join(bit if value else f'!{bit}' for bit, value in zip(bits, outcome, strict=True))})"


def _parts_of(operation: Any) -> Sequence[Any]:
    if not operation.has_decomposition:
        raise CircuitNotConvertible(f"{operation.name} is not supported: it has neither a matrix nor a decomposition")
    parts: Sequence[Any] = operation.decomposition()
    return parts

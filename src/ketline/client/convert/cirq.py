"""Circuits of Cirq as OpenQASM 3, for `circuits.py`.

Qubits are numbered in Cirq's order. A measurement key is a register whose bit i is the i-th measured qubit, so Cirq's
big-endian value of the key is the service's bitstring read from right to left. A key that is measured again has a
register of its own for each measurement: `m`, `m_1`, …
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cirq

from ketline.client.convert.expressions import angle_text
from ketline.client.convert.program import ConvertedProgram
from ketline.client.convert.unitaries import MAX_QUBITS, unitary_calls
from ketline.client.convert.writer import Call, ProgramWriter
from ketline.client.errors import CircuitNotConvertible

PI = 3.141592653589793
# A gate without a counterpart is converted by its matrix up to this number of qubits, else by Cirq's decomposition.
_SMALL = 3
_Z_POWERS = {1.0: "z", 0.5: "s", 1.5: "sdg", 0.25: "t", 1.75: "tdg"}
_X_POWERS = {1.0: "x", 0.5: "sx", 1.5: "sxdg"}
_PAULI_ROTATIONS = (
    (cirq.XPowGate, "rx"),
    (cirq.YPowGate, "ry"),
    (cirq.XXPowGate, "rxx"),
    (cirq.YYPowGate, "ryy"),
    (cirq.ZZPowGate, "rzz"),
)
# Controlled powers of a Pauli operator: the number of controls, and the gates around a power of Z.
_CONTROLLED = (
    (cirq.CZPowGate, "cz", ()),
    (cirq.CXPowGate, "cx", ("h",)),
    (cirq.CCZPowGate, "ccz", ()),
    (cirq.CCXPowGate, "ccx", ("h",)),
)
_FIXED = ((cirq.SwapPowGate, "swap"), (cirq.CSwapGate, "cswap"), (cirq.HPowGate, "h"), (cirq.ISwapPowGate, "iswap"))


def program_of(circuit: Any, qubit_order: Any = None) -> ConvertedProgram:
    """Convert a circuit; `qubit_order` is Cirq's own, by default its sorted one."""
    order = cirq.QubitOrder.as_qubit_order(cirq.QubitOrder.DEFAULT if qubit_order is None else qubit_order)
    return _Conversion(order.order_for(circuit.all_qubits())).program(circuit)


class _Conversion:
    def __init__(self, qubits: Sequence[Any]) -> None:
        for qubit in qubits:
            if qubit.dimension != 2:
                raise CircuitNotConvertible(f"{qubit} has {qubit.dimension} levels: only qubits are supported")
        self._writer = ProgramWriter()
        self._qubits: Mapping[Any, str] = dict(zip(qubits, self._writer.qubits("q", len(qubits)), strict=True))
        self._measured: dict[str, list[Sequence[str]]] = {}

    def program(self, circuit: Any) -> ConvertedProgram:
        for operation in circuit.all_operations():
            self._operation(operation)
        return self._writer.program()

    def _operation(self, operation: Any) -> None:
        operation = operation.untagged
        if isinstance(operation, cirq.ClassicallyControlledOperation):
            condition = " && ".join(sorted(map(self._condition, operation.classical_controls)))
            with self._writer.branch(condition):
                self._operation(operation.without_classical_controls())
        elif isinstance(operation, cirq.CircuitOperation):
            self._subcircuit(operation)
        elif isinstance(operation.gate, cirq.MeasurementGate):
            self._measurement(operation)
        elif isinstance(operation.gate, cirq.ResetChannel):
            self._writer.statement(f"reset {self._qubits[operation.qubits[0]]};")
        elif (calls := self._calls(operation)) is not None:
            self._writer.call(*calls)
        else:
            for part in _parts_of(operation):
                self._operation(part)

    def _subcircuit(self, operation: Any) -> None:
        if operation.repeat_until is not None:
            raise CircuitNotConvertible("a CircuitOperation with `repeat_until` is not supported")
        for part in operation.mapped_circuit(deep=False).all_operations():
            self._operation(part)

    def _measurement(self, operation: Any) -> None:
        if operation.gate.confusion_map:
            raise CircuitNotConvertible(f"{operation} has a confusion map, which is noise: it is not supported")
        key = cirq.measurement_key_name(operation)
        bits = self._writer.register(key, len(operation.qubits))
        self._measured.setdefault(key, []).append(bits)
        for qubit, bit, inverted in zip(operation.qubits, bits, operation.gate.full_invert_mask(), strict=True):
            flip = [Call("x", (self._qubits[qubit],))] * inverted
            self._writer.call(*flip)
            self._writer.statement(f"{bit} = measure {self._qubits[qubit]};")
            self._writer.call(*flip)

    def _condition(self, condition: Any) -> str:
        if not isinstance(condition, cirq.KeyCondition):
            raise CircuitNotConvertible(f"the condition {condition} is not supported: only measurement keys are")
        try:
            bits = self._measured[str(condition.key)][condition.index]
        except (KeyError, IndexError) as error:
            raise CircuitNotConvertible(f"the condition {condition} comes before its measurement") from error
        return f"({' || '.join(bits)})"

    def _calls(self, operation: Any) -> Sequence[Call] | None:
        """The calls of a unitary operation, or None where Cirq's decomposition has to be converted instead."""
        qubits = tuple(self._qubits[qubit] for qubit in operation.qubits)
        gate = operation.gate
        if isinstance(operation, cirq.ControlledOperation) or isinstance(gate, cirq.ControlledGate):
            calls = self._controlled(operation, qubits)
        else:
            calls = None if gate is None else self._known(gate, qubits)
        if calls is not None:
            return calls
        if len(qubits) <= _SMALL and cirq.has_unitary(operation):
            return unitary_calls(cirq.unitary(operation), qubits)
        if cirq.decompose_once(operation, None) is None and len(qubits) <= MAX_QUBITS and cirq.has_unitary(operation):
            return unitary_calls(cirq.unitary(operation), qubits)
        return None

    def _controlled(self, operation: Any, qubits: tuple[str, ...]) -> Sequence[Call] | None:
        """The calls of the operation inside, with controls; None for controls that are a sum of products of states."""
        if operation.gate is None:
            values, inside = operation.control_values, operation.sub_operation
        else:
            gate = operation.gate
            values, inside = gate.control_values, gate.sub_gate.on(*operation.qubits[gate.num_controls() :])
        if not isinstance(values, cirq.ops.ProductOfSums) or any(len(states) != 1 for states in values):
            return None
        calls = self._calls(inside)
        if calls is None:
            return None
        states = [bool(each[0]) for each in values]
        return [call.controlled(qubits[: len(states)], states) for call in calls]

    def _known(self, gate: Any, qubits: tuple[str, ...]) -> Sequence[Call] | None:
        if isinstance(gate, (cirq.IdentityGate, cirq.WaitGate)):
            return []
        if isinstance(gate, cirq.GlobalPhaseGate):
            return None if cirq.is_parameterized(gate) else unitary_calls([[complex(gate.coefficient)]], ())
        if isinstance(gate, cirq.FSimGate):
            return [Call("fsim", qubits, (self._angle(gate.theta), self._angle(gate.phi)))]
        if isinstance(gate, cirq.PhasedXPowGate):
            return self._phased_x(gate, qubits)
        return self._power(gate, qubits) if isinstance(gate, cirq.EigenGate) else None

    def _phased_x(self, gate: Any, qubits: tuple[str, ...]) -> Sequence[Call]:
        angles = (self._angle(gate.exponent, PI), self._angle(gate.phase_exponent, PI))
        phase = self._phase(gate.exponent, gate.global_shift + 0.5)
        return [*phase, Call("prx", qubits, angles)]

    def _power(self, gate: Any, qubits: tuple[str, ...]) -> Sequence[Call] | None:
        exponent, shift = gate.exponent, gate.global_shift
        whole = not cirq.is_parameterized(gate) and shift == 0
        if whole and exponent % 2 == 1 and not (isinstance(gate, cirq.ISwapPowGate) and exponent % 4 == 3):
            for kind, name in _FIXED:
                if isinstance(gate, kind):
                    return [Call(name, qubits)]
        if isinstance(gate, cirq.ZPowGate):
            return self._z_power(gate, qubits)
        if isinstance(gate, cirq.XPowGate) and whole and exponent % 2 in _X_POWERS:
            return [Call(_X_POWERS[exponent % 2], qubits)]
        if isinstance(gate, cirq.YPowGate) and whole and exponent % 2 == 1:
            return [Call("y", qubits)]
        for kind, name in _PAULI_ROTATIONS:
            if isinstance(gate, kind):
                return [*self._phase(exponent, shift + 0.5), Call(name, qubits, (self._angle(exponent, PI),))]
        if isinstance(gate, cirq.ISwapPowGate):
            return [*self._phase(exponent, shift), Call("xy", qubits, (self._angle(exponent, PI),))]
        return self._controlled_power(gate, qubits)

    def _z_power(self, gate: Any, qubits: tuple[str, ...]) -> Sequence[Call]:
        exponent, shift = gate.exponent, gate.global_shift
        if shift == -0.5:
            return [Call("rz", qubits, (self._angle(exponent, PI),))]
        if not cirq.is_parameterized(gate) and exponent % 2 in _Z_POWERS:
            return [*self._phase(exponent, shift), Call(_Z_POWERS[exponent % 2], qubits)]
        return [*self._phase(exponent, shift), Call("p", qubits, (self._angle(exponent, PI),))]

    def _controlled_power(self, gate: Any, qubits: tuple[str, ...]) -> Sequence[Call] | None:
        exponent, shift = gate.exponent, gate.global_shift
        for kind, name, around in _CONTROLLED:
            if not isinstance(gate, kind):
                continue
            if not cirq.is_parameterized(gate) and exponent % 2 == 1:
                return [*self._phase(exponent, shift), Call(name, qubits)]
            basis = [Call(each, qubits[-1:]) for each in around]
            turn = Call("cp", qubits[-2:], (self._angle(exponent, PI),))
            turn = turn.controlled(qubits[:-2], [True] * (len(qubits) - 2))
            return [*self._phase(exponent, shift), *basis, turn, *basis]
        return None

    def _phase(self, exponent: Any, shift: float) -> Sequence[Call]:
        return [Call("gphase", (), (self._angle(exponent, PI * shift),))] if shift else []

    def _angle(self, value: Any, factor: float = 1.0) -> str:
        return angle_text(value, self._writer, factor)


def _parts_of(operation: Any) -> Iterator[Any]:
    parts = cirq.decompose_once(operation, None)
    if parts is None:
        what = "has parameters that are not supported" if cirq.is_parameterized(operation) else "is not a unitary gate"
        raise CircuitNotConvertible(f"{operation} {what}: noise is not simulated, and measurements need keys")
    yield from parts

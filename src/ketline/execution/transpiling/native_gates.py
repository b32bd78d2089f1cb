"""Expresses single-qubit gates in the gates of a device. Used for measurement bases and for inverses of gates."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from qiskit.circuit import QuantumCircuit
from qiskit.circuit.equivalence_library import SessionEquivalenceLibrary
from qiskit.exceptions import QiskitError
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import BasisTranslator, Optimize1qGatesDecomposition

from ketline.domain.devices.device import Device
from ketline.domain.errors import DeviceMismatch

_KEPT = 4096


class NativeGateWriter:
    """Writes gates for one device; they may differ from the given gates in their global phase."""

    def __init__(self, device: Device, target: Any) -> None:
        self._device = device
        self._gates = {(gate.name, gate.qubits) for gate in device.gates}
        self._passes = PassManager(
            [
                BasisTranslator(SessionEquivalenceLibrary, None, target=target),
                Optimize1qGatesDecomposition(target=target),
            ]
        )
        self._written = lru_cache(_KEPT)(self._write)

    def has_gate(self, name: str, qubits: tuple[int, ...]) -> bool:
        """Whether the device has a gate of this name on these qubits, in order."""
        return (name, qubits) in self._gates

    def native(self, gates: Sequence[Any], qubit: int) -> Sequence[Any]:
        """Gates of the device on a qubit that are equivalent to `gates`, applied in order.

        Raises:
            DeviceMismatch: the gates of the device on this qubit cannot express `gates`.
        """
        return self._written(tuple((type(gate), tuple(map(float, gate.params))) for gate in gates), qubit)

    def _write(self, gates: Sequence[tuple[Any, Sequence[float]]], qubit: int) -> Sequence[Any]:
        circuit = QuantumCircuit(self._device.num_qubits)
        for kind, parameters in gates:
            circuit.append(kind(*parameters), [qubit])
        try:
            found = [instruction.operation for instruction in self._passes.run(circuit).data]
        except QiskitError as error:
            raise self._mismatch(gates, qubit) from error
        if not all(self.has_gate(gate.name, (qubit,)) for gate in found):
            raise self._mismatch(gates, qubit)
        return found

    def _mismatch(self, gates: Sequence[tuple[Any, Sequence[float]]], qubit: int) -> DeviceMismatch:
        names = " and ".join(f"'{kind(*parameters).name}'" for kind, parameters in gates)
        return DeviceMismatch(
            f"the device '{self._device.name}' has no gates on qubit {qubit} in which {names} can be written"
        )

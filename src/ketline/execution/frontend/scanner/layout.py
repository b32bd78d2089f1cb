"""The qubits and bits of a flat program in the order of their declarations, of which Qiskit's circuit is made.

`registers.py` fills it.
"""

from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit, QuantumCircuit, QuantumRegister, Qubit

from ketline.execution.circuit.operations import Step, instructions_of


class Layout:
    """The declared registers and single bits, and the global phases of a program, for its circuit."""

    def __init__(self) -> None:
        self.num_qubits = 0
        self.num_clbits = 0
        self.phases: list[float] = []  # added one after the other
        self._qubits: list[tuple[int, str | None]] = []
        self._bits: list[tuple[int, str | None]] = []

    def add_qubits(self, width: int, register: str | None = None) -> None:
        """Add a register of this name, or without a name single qubits."""
        self.num_qubits += width
        self._qubits.append((width, register))

    def add_bits(self, width: int, register: str | None = None) -> None:
        """Add a register of this name, or without a name single bits."""
        self.num_clbits += width
        self._bits.append((width, register))

    def circuit(self, steps: list[Step]) -> Any:
        """Qiskit's circuit of steps on these qubits and bits."""
        circuit = QuantumCircuit(name="program")  # generating a name takes longer
        data = circuit._data  # noqa: SLF001 - `add_register` and `append` check again what the scanner checked
        for width, name in self._qubits:
            if name is None:
                circuit.add_bits([Qubit() for _ in range(width)])
            else:
                data.add_qreg(QuantumRegister(width, name))
        for width, name in self._bits:
            if name is None:
                circuit.add_bits([Clbit() for _ in range(width)])
            else:
                data.add_creg(ClassicalRegister(width, name))
        data.extend(list(instructions_of(circuit, steps)))
        for phase in self.phases:
            circuit.global_phase += phase
        return circuit

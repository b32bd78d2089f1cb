"""Measures all qubits at the end of a circuit, as Amazon Braket does where a program has no measurement."""

from collections.abc import Collection
from itertools import count
from typing import Any

from qiskit.circuit import ClassicalRegister, QuantumCircuit

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.limits import ExecutionLimits

# Braket's own exporter measures into a register of this name.
REGISTER = "b"


def with_all_measured(circuit: Any, limits: ExecutionLimits, taken: Collection[str]) -> Any:
    """The circuit with a register that has a bit for each qubit; of qubits without operations it is 0.

    The register is `b`, or `b_1` and so on where qubits have that name; `taken` are names of qubits besides registers.

    Raises:
        ProgramTooLarge: there are more qubits than a program may have bits.
    """
    if circuit.num_qubits > limits.max_bits:
        raise ProgramTooLarge(f"measuring all qubits takes more than {limits.max_bits} bits")
    names = {*taken, *(register.name for register in circuit.qregs)}
    candidates = (REGISTER if not number else f"{REGISTER}_{number}" for number in count())
    bits = ClassicalRegister(circuit.num_qubits, next(name for name in candidates if name not in names))
    measured = QuantumCircuit(circuit.qubits, *circuit.qregs, bits, global_phase=circuit.global_phase)
    used = set()
    for instruction in circuit.data:
        measured.append(instruction.operation, instruction.qubits)
        used.update(instruction.qubits)
    for qubit, bit in zip(circuit.qubits, bits, strict=True):
        if qubit in used:
            measured.measure(qubit, bit)
    return measured

"""Conversion of circuits of Qiskit, Cirq, Amazon Braket, PennyLane and pytket into programs of the service."""

from ketline.client.convert.circuits import convert, from_braket, from_cirq, from_pennylane, from_pytket, from_qiskit
from ketline.client.convert.program import ConvertedProgram

__all__ = [
    "ConvertedProgram",
    "convert",
    "from_braket",
    "from_cirq",
    "from_pennylane",
    "from_pytket",
    "from_qiskit",
]

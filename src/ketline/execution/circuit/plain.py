"""A circuit as plain values: front ends read programs into it, lowering and the simulators read it."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from ketline.execution.circuit.operations import Step, steps_of


class PlainCircuit:
    """A circuit as steps on numbered qubits and bits; `circuit` is Qiskit's circuit of the same operations.

    Each of the two is made when it is first read: most programs never need Qiskit's circuit.
    """

    def __init__(
        self, num_qubits: int, num_clbits: int, steps: Callable[[], Sequence[Step]], circuit: Callable[[], Any]
    ) -> None:
        self.num_qubits = num_qubits
        self.num_clbits = num_clbits
        self._make_steps = steps
        self._make_circuit = circuit

    @cached_property
    def steps(self) -> Sequence[Step]:
        return self._make_steps()

    @cached_property
    def circuit(self) -> Any:
        return self._make_circuit()


def plain_of(circuit: Any) -> PlainCircuit:
    """A circuit of Qiskit's as plain values."""
    return PlainCircuit(circuit.num_qubits, circuit.num_clbits, lambda: steps_of(circuit), lambda: circuit)

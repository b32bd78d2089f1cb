"""Random circuits over Qiskit's standard gates, as its exporter writes them."""

from random import Random
from typing import Any

from qiskit import qasm3
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping

_GATES = [
    gate
    for name, gate in sorted(get_standard_gate_name_mapping().items())
    if name not in {"measure", "reset", "delay", "global_phase"}
]
_ANGLES = (0.5, -1.25, 3.141592653589793, 1e-7, 1.5707963267948966, 0.0, -2.356194490192345)


def make_exported(choices: Random) -> str:
    circuit = QuantumCircuit(4, 4)
    for _ in range(choices.randrange(1, 12)):
        gate = choices.choice(_GATES)
        parameters = [choices.choice(_ANGLES) for _ in gate.params]
        circuit.append(_with(gate, parameters), choices.sample(range(4), gate.num_qubits))
        if choices.random() < 0.1:
            circuit.barrier(choices.sample(range(4), 2))
    circuit.measure(range(4), choices.sample(range(4), 4))
    return str(qasm3.dumps(circuit))


def _with(gate: Any, parameters: list[float]) -> Any:
    return type(gate)(*parameters) if parameters else gate

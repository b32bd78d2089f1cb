"""Circuits without resets, for the estimator: exact expectation values are computed of a state, which a reset is not.

A qubit that is reset leaves the circuit as it is, and a fresh one takes its place.
"""

from collections import Counter
from typing import Any

from qiskit.circuit import ControlFlowOp, QuantumCircuit, Qubit
from qiskit.primitives.containers.estimator_pub import EstimatorPub

# They do nothing to a qubit, so a reset after them is still the first operation.
_WITHOUT_EFFECT = ("barrier", "delay")


def without_resets(pub: EstimatorPub) -> EstimatorPub:
    """A PUB with the same expectation values, whose circuit resets no qubit that another operation acted on before.

    The qubits that were reset are further ones, behind those of the circuit, so no observable depends on them but
    through others. A circuit that resets qubits in branches or loops stays as it is.
    """
    if "reset" not in pub.circuit.count_ops():
        return pub
    circuit = _with_fresh_qubits(pub.circuit)
    observables = pub.observables.apply_layout(None, circuit.num_qubits)
    return EstimatorPub(circuit, observables, pub.parameter_values, pub.precision, validate=False)


def _with_fresh_qubits(circuit: Any) -> Any:
    resets = _resets(circuit)
    made = circuit.copy_empty_like()
    # Before its k-th reset, a qubit is the k-th of these; after the last one it is itself.
    wires = {qubit: [*(Qubit() for _ in range(number)), qubit] for qubit, number in resets.items()}
    made.add_bits([wire for each in wires.values() for wire in each[:-1]])
    used: set[Qubit] = set()
    for instruction in circuit.data:
        if instruction.name == "reset" and instruction.qubits[0] in used and resets:
            del wires[instruction.qubits[0]][0]
            used.remove(instruction.qubits[0])
        elif instruction.name != "reset" or not resets:
            qubits = [wires[qubit][0] if qubit in wires else qubit for qubit in instruction.qubits]
            made.append(instruction.replace(qubits=qubits))
            used |= _acted_on(instruction)
    return made


def _resets(circuit: QuantumCircuit) -> dict[Qubit, int]:
    """How often each qubit is reset after another operation; none of a circuit with branches or loops."""
    used: set[Qubit] = set()
    resets: Counter[Qubit] = Counter()
    for instruction in circuit.data:
        if isinstance(instruction.operation, ControlFlowOp):
            return {}
        if instruction.name == "reset":
            resets.update(used.intersection(instruction.qubits))
            used.difference_update(instruction.qubits)
        used |= _acted_on(instruction)
    return resets


def _acted_on(instruction: Any) -> set[Qubit]:
    return set() if instruction.name in (*_WITHOUT_EFFECT, "reset") else set(instruction.qubits)

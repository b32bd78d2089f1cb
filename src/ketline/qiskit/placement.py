"""Circuits on devices: their qubits are those of the device, by number, as in a circuit that was transpiled for it.

Such a circuit runs as it is. Of others, what the device does not have is replaced.
"""

from typing import Any

from qiskit.circuit import ControlFlowOp
from qiskit.converters import circuit_to_dag, dag_to_circuit


def device_options(device: str | None, qubits: int) -> dict[str, Any]:
    """The options of a task that make its circuit run on a device, by its number of qubits; none without a device."""
    if device is None:
        return {}
    return {"device": {"name": device, "optimization_level": 0, "initial_layout": list(range(qubits))}}


def without_layout(circuit: Any) -> Any:
    """The circuit without the layout that it has from a transpiler: with one, Qiskit's exporter declares no qubits, so
    that a program has only those up to the last one that an operation is on."""
    if circuit.layout is None:
        return circuit
    return dag_to_circuit(circuit_to_dag(circuit, copy_operations=False), copy_operations=False)


def waits(circuit: Any) -> bool:
    """Whether a circuit has a delay that is not 0, in its blocks too."""
    return any(
        any(map(waits, instruction.operation.blocks))
        if isinstance(instruction.operation, ControlFlowOp)
        else instruction.name == "delay" and instruction.operation.duration != 0
        for instruction in circuit.data
    )

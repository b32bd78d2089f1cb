"""A model of noise that is large enough to be stored once for all tasks that have it."""

from typing import Any


def large_model(qubits: int = 500, probability: float = 0.25) -> dict[str, Any]:
    """On each qubit `x` is undone with this probability."""
    error = {
        "type": "qerror",
        "operations": ["x"],
        "instructions": [[{"name": "pauli", "params": ["X"], "qubits": [0]}], [{"name": "id", "qubits": [0]}]],
        "probabilities": [probability, 1 - probability],
    }
    return {"model": {"errors": [{**error, "gate_qubits": [[qubit]]} for qubit in range(qubits)]}}

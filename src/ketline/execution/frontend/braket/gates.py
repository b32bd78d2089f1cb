"""Amazon Braket's gates for the unroller and for the checks of names.

`U` has no phase there, as in Qiskit: the specification's is e^(iθ/2) times Braket's. Source: gate_operations.py of
amazon-braket-default-simulator, with which `tests/unit/execution/test_braket.py` compares each gate.
"""

from collections.abc import Callable, Mapping, Sequence
from math import pi
from typing import Any

from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import UGate, UnitaryGate

from ketline.execution.frontend.braket.names import ALIASES, SHARED
from ketline.execution.frontend.unroller.gates import FURTHER_GATES, STANDARD_GATES, LibraryGate

_LIBRARY = STANDARD_GATES | FURTHER_GATES
_QISKIT_U = "u"  # by this name the specification's phase is not added

# A step of a composite gate: a method of `QuantumCircuit` and its arguments.
_Step = tuple[str, Sequence[Any]]


def _ms(first: float, second: float, angle: float = pi / 2) -> Sequence[_Step]:
    before = [("rz", (-first, 0)), ("rz", (-second, 1))]
    return [*before, ("rxx", (angle, 0, 1)), ("rz", (first, 0)), ("rz", (second, 1))]


def _controlled_phase(first: int, second: int) -> Callable[[float], Sequence[_Step]]:
    """A phase where the two qubits have these values."""
    flips: list[_Step] = [("x", (qubit,)) for qubit, value in enumerate((first, second)) if not value]
    return lambda angle: [*flips, ("cp", (angle, 0, 1)), *flips]


# Each composite gate: its numbers of parameters and qubits, and its steps.
_COMPOSITES: Mapping[str, tuple[int, int, Callable[..., Sequence[_Step]]]] = {
    "cphaseshift00": (1, 2, _controlled_phase(0, 0)),
    "cphaseshift01": (1, 2, _controlled_phase(0, 1)),
    "cphaseshift10": (1, 2, _controlled_phase(1, 0)),
    "gpi": (1, 1, lambda angle: [("x", (0,)), ("rz", (2 * angle, 0))]),
    "gpi2": (1, 1, lambda angle: [("r", (pi / 2, angle, 0))]),
    "ms": (3, 2, _ms),
    "pswap": (1, 2, lambda angle: [("swap", (0, 1)), ("cx", (0, 1)), ("p", (angle, 1)), ("cx", (0, 1))]),
    "xy": (1, 2, lambda angle: [("rxx", (-angle / 2, 0, 1)), ("ryy", (-angle / 2, 0, 1))]),
}


def _composite(name: str) -> LibraryGate:
    parameters, qubits, steps = _COMPOSITES[name]

    def build(*angles: float) -> Any:
        circuit = QuantumCircuit(qubits)
        for method, arguments in steps(*angles):
            getattr(circuit, method)(*arguments)
        return circuit.to_gate()

    return LibraryGate(build, parameters, qubits, name)


BRAKET_GATES: Mapping[str, LibraryGate] = (
    {name: _LIBRARY[name] for name in SHARED}
    | {name: _LIBRARY[gate] for name, gate in ALIASES.items()}
    | {name: _composite(name) for name in _COMPOSITES}
)
BRAKET_U = LibraryGate(UGate, 3, 1, _QISKIT_U)


def matrix_gate(matrix: Any, qubits: int) -> LibraryGate:
    """A gate by its matrix of shape (2^qubits, 2^qubits), whose first qubit is the least significant bit."""
    return LibraryGate(lambda: UnitaryGate(matrix), 0, qubits, "unitary")

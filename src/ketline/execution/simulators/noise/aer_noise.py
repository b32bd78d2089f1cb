"""The errors of a circuit as a noise model of Aer's."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from qiskit.circuit import QuantumCircuit, Reset
from qiskit.circuit.library import IGate, PauliGate, UnitaryGate
from qiskit.quantum_info import Kraus
from qiskit_aer.noise import NoiseModel, QuantumError, ReadoutError

from ketline.execution.simulators.channels import Channel, ErrorOperation, Kind
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors

# The least difference of equal probabilities with which Aer was seen to succeed is 1e-14.
_SPACING = 1e-12
# Aer's error for each channel, for as long as its model is kept.
_ERRORS: WeakKeyDictionary[Channel, Any] = WeakKeyDictionary()


def aer_noise(errors: CircuitErrors) -> Any:
    """Aer's noise model of the errors that a circuit has, and no others: Aer reads all of it for every run."""
    model = NoiseModel()
    names = dict.fromkeys(name for name, _ in errors.channels)
    for name in names:
        if (channel := errors.of_name(name)) is not None:
            model.add_all_qubit_quantum_error(_quantum_error(channel), name)
            continue
        for (of, operands), channel in errors.channels.items():
            if of == name:
                model.add_quantum_error(_quantum_error(channel), name, operands)
    for qubit, (p01, p10) in errors.misreadings.items():
        model.add_readout_error(ReadoutError([[1 - p01, p01], [p10, 1 - p10]]), [qubit])
    return model


def _quantum_error(channel: Channel) -> Any:
    error = _ERRORS.get(channel)
    if error is None:
        circuits = [_circuit(term.operations, channel.qubits) for term in channel.terms]
        error = QuantumError(list(zip(circuits, _distinct([term.probability for term in channel.terms]), strict=True)))
        _ERRORS[channel] = error
    return error


def _distinct(probabilities: Sequence[float]) -> Sequence[float]:
    """Probabilities of which no two are equal, and that differ from these by less than any run can show.

    For trajectories beside Kraus operators Aer computes the Kraus operators of each error from its eigenvalues, and
    fails on one in twenty depolarizing errors on two qubits, which have fifteen equal ones.
    """
    moved = [probability * (1 + number * _SPACING) for number, probability in enumerate(probabilities)]
    total = sum(moved) / sum(probabilities)
    return [probability / total for probability in moved]


def _circuit(operations: Sequence[ErrorOperation], qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    for operation in operations:
        circuit.append(_instruction(operation), operation.qubits)
    if not operations:
        circuit.append(IGate(), [0])
    return circuit


def _instruction(operation: ErrorOperation) -> Any:
    match operation.kind:
        case Kind.PAULI:
            # Qiskit writes the letter of the first qubit last.
            return PauliGate(operation.letters[::-1])
        case Kind.RESET:
            return Reset()
        case Kind.UNITARY:
            return UnitaryGate(operation.matrices[0], check_input=False)
        case Kind.KRAUS:
            return Kraus(list(operation.matrices)).to_instruction()

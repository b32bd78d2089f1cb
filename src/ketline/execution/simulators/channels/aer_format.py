"""Reads a model in the format of Aer's `NoiseModel.to_dict(serializable=True)`, and checks that it is physical.

Nothing of Aer reads it, and nothing is unpickled. The API has checked shapes and ranges; see `schemas/noise.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.domain.devices.noise import NOISY_OPERATIONS
from ketline.domain.errors import NoiseInvalid
from ketline.domain.limits import MAX_NOISE_ERRORS, MAX_NOISE_OPERATORS, MAX_NOISE_TERMS
from ketline.execution.simulators.channels.channel import LETTERS, Channel, ErrorOperation, Kind, Term
from ketline.execution.simulators.channels.layer import Layer, Misreading, Operands

# Source: `BaseOperator.atol` of Qiskit, by which `QuantumError` of Aer compares as well.
_TOLERANCE = 1e-8
# Operations of an error that are known by name, besides Pauli operators.
_KNOWN_UNITARIES = ("h", "s", "sdg", "sx", "sxdg", "t", "tdg", "cx", "cz", "swap")
_MATRICES = {gate.name: gate.matrix for gate in GATE_TABLE if gate.name in _KNOWN_UNITARIES}
_PAULIS = {"id": "I", "x": "X", "y": "Y", "z": "Z"}
_MAX_OPERATIONS = 16
_MAX_QUBITS = 2


def layer_of(model: Mapping[str, Any]) -> Layer:
    """The errors of a model; those for the same gate and qubits are composed in order, as in Aer.

    Raises:
        NoiseInvalid: an error is not a physical one, does not fit its gate, or there are too many.
        KeyError, TypeError, ValueError, AttributeError: the document does not have the shape of a model.
    """
    errors = model["errors"]
    if len(errors) > MAX_NOISE_ERRORS:
        raise NoiseInvalid(f"the noise model has {len(errors)} errors; at most {MAX_NOISE_ERRORS} are accepted")
    local: dict[tuple[str, Operands], Channel] = {}
    everywhere: dict[str, Channel] = {}
    local_readout: dict[int, Misreading] = {}
    readout: Misreading | None = None
    for number, error in enumerate(errors):
        place = f"error {number} of the noise model"
        qubits = error.get("gate_qubits")
        if error["type"] == "roerror":
            reading = _misreading(error["probabilities"], place)
            if qubits is None:
                readout = reading if readout is None else readout.then(reading)
            for (qubit,) in _single(qubits or (), place):
                local_readout[qubit] = local_readout[qubit].then(reading) if qubit in local_readout else reading
            continue
        touching = _channel(error, place)
        for name in error["operations"]:
            channel = _on_all_operands(touching, name, qubits)
            _require_fit(name, channel, qubits, place)
            if qubits is None:
                everywhere[name] = everywhere[name].then(channel) if name in everywhere else channel
            for operands in map(tuple, qubits or ()):
                key = name, operands
                local[key] = local[key].then(channel) if key in local else channel
    return Layer(local=local, everywhere=everywhere, local_readout=local_readout, readout=readout)


def _misreading(probabilities: Sequence[Sequence[float]], place: str) -> Misreading:
    of_zero, of_one = probabilities
    _, p01 = _probabilities(of_zero, place)
    p10, _ = _probabilities(of_one, place)
    return Misreading(p01, p10)


def _single(qubits: Sequence[Sequence[int]], place: str) -> Sequence[Sequence[int]]:
    if any(len(operands) != 1 for operands in qubits):
        raise NoiseInvalid(f"{place} is of the readout of several qubits: readout errors are of one qubit each")
    return qubits


def _on_all_operands(channel: Channel, name: str, qubits: Sequence[Sequence[int]] | None) -> Channel:
    """The channel on the qubits of its operation: the format does not list those that no term touches."""
    width = NOISY_OPERATIONS.get(name, 0) or len((qubits or [()])[0])
    return channel if width <= channel.qubits or width > _MAX_QUBITS else replace(channel, qubits=width)


def _require_fit(name: str, channel: Channel, qubits: Sequence[Sequence[int]] | None, place: str) -> None:
    if name not in NOISY_OPERATIONS:
        raise NoiseInvalid(
            f"{place} is of {name!r}, which is replaced by its definition or has no effect: errors attach to "
            f"{', '.join(sorted(NOISY_OPERATIONS))}"
        )
    width = NOISY_OPERATIONS[name]
    if width not in (None, channel.qubits):
        raise NoiseInvalid(f"{place} acts on {channel.qubits} qubits, and {name!r} on {width}")
    for operands in qubits or ():
        if len(operands) != channel.qubits or len(set(operands)) != len(operands) or min(operands) < 0:
            raise NoiseInvalid(f"{place} acts on {channel.qubits} qubits, and not on {list(operands)}")


def _channel(error: Mapping[str, Any], place: str) -> Channel:
    circuits, probabilities = error["instructions"], error["probabilities"]
    if not 0 < len(circuits) <= MAX_NOISE_TERMS:
        raise NoiseInvalid(f"{place} has {len(circuits)} terms; 1 to {MAX_NOISE_TERMS} are accepted")
    if len(circuits) != len(probabilities):
        raise NoiseInvalid(f"{place} has {len(circuits)} terms and {len(probabilities)} probabilities")
    terms = [
        Term(probability, tuple(_operations(circuit, place)))
        for circuit, probability in zip(circuits, _probabilities(probabilities, place), strict=True)
        if probability > 0
    ]
    touched = [qubit for circuit in circuits for operation in circuit for qubit in operation["qubits"]]
    return Channel(max(touched, default=0) + 1, tuple(terms))


def _operations(circuit: Sequence[Mapping[str, Any]], place: str) -> Iterator[ErrorOperation]:
    if len(circuit) > _MAX_OPERATIONS:
        raise NoiseInvalid(f"{place} has a term of {len(circuit)} operations; at most {_MAX_OPERATIONS} are accepted")
    for operation in circuit:
        qubits = tuple(operation["qubits"])
        if not set(qubits) <= set(range(_MAX_QUBITS)) or len(set(qubits)) != len(qubits) or not qubits:
            raise NoiseInvalid(f"{place} acts on the qubits {list(qubits)} of a gate: errors are of one qubit or two")
        yield _operation(operation["name"], qubits, operation.get("params", ()), place)


def _operation(name: str, qubits: Operands, parameters: Sequence[Any], place: str) -> ErrorOperation:
    match name:
        case "unitary":
            return ErrorOperation(Kind.UNITARY, qubits, matrices=(_unitary(parameters[0], qubits, place),))
        case "kraus":
            return ErrorOperation(Kind.KRAUS, qubits, matrices=_kraus(parameters, qubits, place))
        case "reset":
            _require_width(1, name, qubits, place)
            return ErrorOperation(Kind.RESET, qubits)
    letters = _letters(parameters, place) if name == "pauli" else _PAULIS.get(name)
    if letters is not None:
        _require_width(len(letters), name, qubits, place)
        return ErrorOperation(Kind.PAULI, qubits, letters)
    if name not in _MATRICES:
        raise NoiseInvalid(f"{place} has an operation {name!r}, which no error can have")
    matrix = np.array(_MATRICES[name](), dtype=np.complex128)
    _require_width(len(matrix).bit_length() - 1, name, qubits, place)
    return ErrorOperation(Kind.UNITARY, qubits, matrices=(matrix,))


def _letters(parameters: Sequence[Any], place: str) -> str:
    """A Pauli operator for each qubit in order; Qiskit writes that of the first qubit last."""
    letters = str(parameters[0])[::-1]
    if not set(letters) <= set(LETTERS):
        raise NoiseInvalid(f"{place} has Pauli operators that are not of {LETTERS}")
    return letters


def _require_width(width: int, name: str, qubits: Operands, place: str) -> None:
    if len(qubits) != width:
        raise NoiseInvalid(f"{place} has {name!r} on {len(qubits)} qubits: it acts on {width}")


def _unitary(rows: Sequence[Any], qubits: Operands, place: str) -> Any:
    matrix = _matrix(rows, qubits, place)
    if not np.allclose(matrix.conj().T @ matrix, np.eye(len(matrix)), rtol=0, atol=_TOLERANCE):
        raise NoiseInvalid(f"{place} has a matrix that is not unitary")
    return matrix


def _kraus(parameters: Sequence[Any], qubits: Operands, place: str) -> Sequence[Any]:
    if not 0 < len(parameters) <= MAX_NOISE_OPERATORS:
        raise NoiseInvalid(f"{place} has {len(parameters)} Kraus operators; 1 to {MAX_NOISE_OPERATORS} are accepted")
    operators = [_matrix(rows, qubits, place) for rows in parameters]
    total = sum(operator.conj().T @ operator for operator in operators)
    if not np.allclose(total, np.eye(1 << len(qubits)), rtol=0, atol=_TOLERANCE):
        raise NoiseInvalid(
            f"{place} has Kraus operators that do not preserve the trace: their squares do not add up to 1"
        )
    return operators


def _matrix(rows: Sequence[Any], qubits: Operands, place: str) -> Any:
    size = 1 << len(qubits)
    numbers = np.array(rows, dtype=np.float64)
    if numbers.shape != (size, size, 2):
        raise NoiseInvalid(f"{place} has a matrix that is not of {size} rows of {size} pairs, real and imaginary part")
    if not np.all(np.abs(numbers) <= 1 + _TOLERANCE):  # which is not so for NaN either
        raise NoiseInvalid(f"{place} has a matrix with an entry beyond 1")
    return numbers[..., 0] + 1j * numbers[..., 1]


def _probabilities(numbers: Sequence[float], place: str) -> Sequence[float]:
    """Probabilities that add up to 1, where the given ones do so but for rounding."""
    if not all(isfinite(number) and -_TOLERANCE <= number <= 1 + _TOLERANCE for number in numbers):
        raise NoiseInvalid(f"{place} has a probability that is not from 0 to 1")
    if abs(sum(numbers) - 1) > _TOLERANCE:
        raise NoiseInvalid(f"{place} has probabilities that add up to {sum(numbers):.9g}, not to 1")
    kept = [max(0.0, number) for number in numbers]
    return [number / sum(kept) for number in kept]

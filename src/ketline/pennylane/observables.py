"""Observables of PennyLane as sums of Pauli operators, which the service takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pennylane as qml
from pennylane.exceptions import DeviceError

# The matrix of an observable on more wires is not written as a sum of Pauli operators.
_MAX_WIRES_OF_A_MATRIX = 4
_REAL_TOLERANCE = 1e-12


def sentence_of(observable: Any) -> Any:
    """The observable as a `PauliSentence`, or None where that would be too long."""
    if observable.pauli_rep is not None:
        return observable.pauli_rep
    if len(observable.wires) <= _MAX_WIRES_OF_A_MATRIX and observable.has_matrix:
        wires = observable.wires
        return qml.pauli_decompose(qml.matrix(observable, wire_order=wires), wire_order=wires, pauli=True)
    return None


def coefficients_of(sentence: Any, wires: Sequence[Any]) -> Mapping[str, float]:
    """The coefficients of a sum by label; the letter of wire k is the k-th from the right.

    Raises:
        DeviceError: the sum is not Hermitian, because a coefficient is complex.
    """
    places = {wire: place for place, wire in enumerate(wires)}
    coefficients: dict[str, float] = {}
    for word, factor in sentence.items():
        label = ["I"] * len(places)
        for wire, letter in word.items():
            label[-1 - places[wire]] = letter
        coefficients["".join(label)] = real(factor, word)
    return coefficients or {"I" * len(places): 0.0}


def real(factor: Any, word: Any) -> float:
    """The coefficient of a Pauli word as a number.

    Raises:
        DeviceError: it is complex, so the observable is not Hermitian.
    """
    number = complex(factor)
    if abs(number.imag) > _REAL_TOLERANCE * max(1.0, abs(number.real)):
        raise DeviceError(f"An observable is not Hermitian: {word} has the coefficient {number}.")
    return number.real

"""Observables become coefficients by label, whose rightmost letter is that of the first wire."""

import numpy as np
import pennylane as qml
import pytest
from pennylane.exceptions import DeviceError

from ketline.pennylane.observables import coefficients_of, sentence_of


def test_letters_come_in_the_order_of_wires_from_the_right() -> None:
    observable = 2 * qml.X("b") @ qml.Y("a") - 0.5 * qml.Z("c") + qml.I("a")
    found = coefficients_of(sentence_of(observable), ["a", "b", "c"])
    assert found == {"IXY": 2.0, "ZII": -0.5, "III": 1.0}


def test_an_observable_that_is_zero_is_zero_times_the_identity() -> None:
    assert coefficients_of(sentence_of(0 * qml.Z(0)), [0, 1]) in ({"II": 0.0}, {"IZ": 0.0})


@pytest.mark.parametrize("size", [1, 2, 3])
def test_matrices_are_sums_of_pauli_operators(size: int) -> None:
    random = np.random.default_rng(size)
    half = random.normal(size=(2**size, 2**size)) + 1j * random.normal(size=(2**size, 2**size))
    matrix, wires = half + half.conj().T, list(range(size))[::-1]
    found = coefficients_of(sentence_of(qml.Hermitian(matrix, wires)), wires)
    letters = {"I": np.eye(2), "X": qml.X(0).matrix(), "Y": qml.Y(0).matrix(), "Z": qml.Z(0).matrix()}
    total = np.zeros((2**size, 2**size), dtype=complex)
    for label, factor in found.items():
        product = np.eye(1)
        for letter in reversed(label):
            product = np.kron(product, letters[letter])
        total += factor * product
    np.testing.assert_allclose(total, matrix, atol=1e-12)


def test_matrices_on_many_wires_are_not() -> None:
    assert sentence_of(qml.Hermitian(np.eye(32), range(5))) is None


def test_complex_coefficients_are_rejected() -> None:
    with pytest.raises(DeviceError, match="not Hermitian"):
        coefficients_of(sentence_of(qml.X(0) @ qml.Y(0)), [0])

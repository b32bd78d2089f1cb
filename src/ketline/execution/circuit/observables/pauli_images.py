"""Sums of Pauli operators applied to states, by numpy; gradients start their pass backward with such images.

As in `pauli_sums.py`, an operator is i^|x & z| X^x Z^z with masks x and z, so that

    (P a)[k ^ x] = i^|x & z| * (-1)^|k & z| * a[k].

Operators of one x are first added up to one diagonal, as a product of the signs of the high and of the low bits.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ketline.domain.results.observable import Observable

_LOW_BITS = 10
_X_BITS, _Z_BITS = str.maketrans("IXYZ", "0110"), str.maketrans("IXYZ", "0011")
_POWERS_OF_I = np.array([1, 1j, -1, -1j])
_TERMS_AT_A_TIME = 256


class PauliImage:
    """A sum of Pauli operators on some of the qubits that its labels name, prepared for any number of states."""

    def __init__(self, observable: Observable, kept_qubits: Sequence[int]) -> None:
        """`kept_qubits` are the original indices of the qubits of a state; the letters of others are all I."""
        self._qubits = len(kept_qubits)
        self._terms: dict[int, tuple[list[int], list[complex]]] = {}
        for label, factor in observable.items():
            kept = "".join([label[len(label) - 1 - qubit] for qubit in reversed(kept_qubits)])
            x, z = int(kept.translate(_X_BITS), 2), int(kept.translate(_Z_BITS), 2)
            masks, factors = self._terms.setdefault(x, ([], []))
            masks.append(z)
            factors.append(factor * complex(_POWERS_OF_I[(x & z).bit_count() & 3]))

    def of(self, amplitudes: Any) -> Any:
        """The sum applied to a state: complex128 of shape (2^n,), bit q of an index for qubit q."""
        indices = np.arange(len(amplitudes))
        found = np.zeros_like(amplitudes)
        for x, (masks, factors) in self._terms.items():
            product = self._diagonal(masks, factors) * amplitudes
            found += product[indices ^ x] if x else product
        return found

    def _diagonal(self, masks: Sequence[int], factors: Sequence[complex]) -> Any:
        low_bits = min(self._qubits, _LOW_BITS)
        total = np.zeros((1 << self._qubits - low_bits, 1 << low_bits), dtype=complex)
        for start in range(0, len(masks), _TERMS_AT_A_TIME):
            z = np.array(masks[start : start + _TERMS_AT_A_TIME], dtype=np.int64)
            weights = np.array(factors[start : start + _TERMS_AT_A_TIME])
            high = _signs(z >> low_bits, self._qubits - low_bits)
            total += (high.T * weights) @ _signs(z, low_bits)
        return total.ravel()


def _signs(masks: Any, bits: int) -> Any:
    """(-1)^|k & mask|, float64 of shape (masks, 2^bits), k along the second axis."""
    found = np.ones((len(masks), 1))
    for bit in range(bits):
        found = np.hstack([found, found * (1 - 2 * (masks >> bit & 1))[:, None]])
    return found

"""Expectation values and variances of observables in states, for outputs. Used by `final_state.py`.

A Pauli operator is i^|x & z| X^x Z^z, as in `pauli_sums.py`, so that its product with a state a has the amplitudes

    i^|x & z| * (-1)^|(k ^ x) & z| * a[k ^ x].

The variance of a sum H is the squared norm of H times the state, less the square of the expectation value.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ketline.execution.circuit.observables.pauli_sums import PauliSums

# Powers of i.
_UNITS = (1 + 0j, 1j, -1 + 0j, -1j)


def expectation_values(
    observables: Sequence[Mapping[str, float]], letters: Sequence[int | None], states: Any, *, variance: bool
) -> Any:
    """The expectation value of each observable, float64, and with `variance` a row of it and its variance.

    `letters` has the bit of a state's index for each letter of a label, from the rightmost one; None where a letter is
    I in all labels. `states` are complex128 of shape (states, 2^n): pure states whose squares are their probabilities.
    """
    width = states.shape[1].bit_length() - 1
    moved = [_moved(observable, letters, width) for observable in observables]
    sums = PauliSums(moved, range(width))
    values = np.sum([sums.values_in(state) for state in states], axis=0)
    if not variance:
        return values
    squares = np.array([_squared_norm(observable, states) for observable in moved])
    return np.stack((values, (squares - values**2).clip(0)), axis=-1)


def _moved(observable: Mapping[str, float], letters: Sequence[int | None], width: int) -> Mapping[str, float]:
    """The observable with a letter for each qubit of the states."""
    found: dict[str, float] = {}
    for label, factor in observable.items():
        own = ["I"] * width
        for letter, bit in zip(reversed(label), letters, strict=True):
            if bit is not None:
                own[width - 1 - bit] = letter
        found["".join(own)] = factor
    return found


def _squared_norm(observable: Mapping[str, float], states: Any) -> float:
    """The squared norm of an observable times each state, added up."""
    terms: dict[int, list[tuple[int, complex]]] = defaultdict(list)
    for label, factor in observable.items():
        x, z = _mask(label, "XY"), _mask(label, "YZ")
        terms[x].append((z, factor * _UNITS[(x & z).bit_count() & 3]))
    indices = np.arange(states.shape[1])
    product = np.zeros_like(states)
    for x, of_x in terms.items():
        flipped = indices ^ x
        diagonal: Any = np.zeros(len(indices), dtype=np.complex128)
        for z, coefficient in of_x:
            diagonal += coefficient * (1.0 - 2.0 * (np.bitwise_count(flipped & z) & 1))
        product += diagonal * states[:, flipped]
    return float((product.real**2 + product.imag**2).sum())


def _mask(label: str, letters: str) -> int:
    """The bits of the qubits whose letter is one of these."""
    return int("".join("1" if letter in letters else "0" for letter in label), 2)

"""Expectation values of sums of Pauli operators in a state, by numpy; all terms that flip the same qubits in one pass.

The simulation methods compute the expectation values of a task with it.

A Pauli operator is i^|x & z| X^x Z^z, up to its order, where bit q of the masks x and z belongs to qubit q: it is X for
x alone, Z for z alone, and Y for both. Its expectation value in a state a is the real part of

    (-i)^|x & z| * sum over k of (-1)^|k & z| * a[k ^ x] * conj(a[k]).

The products do not depend on z, so operators of one x share them. A sign is the product of a sign of the low bits of k
and one of its high bits, so a sum over k is a product of matrices.

Source: J. Dehaene and B. De Moor, Phys. Rev. A 68, 042318 (2003), for operators as pairs of masks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from ketline.domain.results.observable import Observable

# Amplitudes of which products are formed at a time: 512 KiB, which a processor's cache holds.
_BLOCK_BITS = 15
# Bits of an index whose signs are written out for each term.
_LOW_BITS = 10
_TERMS_IN_A_PASS = 512
# Passes are prepared once for all states while their arrays have no more numbers than this (32 MiB).
_NUMBERS_PREPARED = 1 << 22

_X_BITS, _Z_BITS = str.maketrans("IXYZ", "0110"), str.maketrans("IXYZ", "0011")
# The factors of the real and the imaginary part of a sum, by the number of Y of an operator modulo 4.
_PARTS_BY_NUMBER_OF_Y = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """Terms that are computed from one array of products.

    `partners`, int64 of shape (masks, block), has k ^ x within a block for each index k; `block_mask` is x of the
    blocks' numbers. `terms` has for each mask the slice of its terms. `low`, of shape (terms, 2 * 2^low bits), has the
    sign for each real and each imaginary part, and `high`, of shape (2^high bits, terms), the sign of the other bits.
    """

    partners: Any
    block_mask: int
    terms: Sequence[slice]
    low: Any
    high: Any


class PauliSums:
    """Sums of Pauli operators on some of the qubits that their labels name, prepared for any number of states."""

    def __init__(
        self,
        observables: Sequence[Observable],
        kept_qubits: Sequence[int | None],
        dephased: frozenset[int] = frozenset(),
    ) -> None:
        """`kept_qubits` are the original indices of the qubits of a state; the letters of others are all I.

        It is None for a qubit of a state that no letter belongs to.

        Terms with X or Y on `dephased` qubits, which were measured last, are 0.
        """
        self._observables = observables
        self._kept_qubits = kept_qubits
        self._dephased = dephased

    def __len__(self) -> int:
        return len(self._observables)

    def is_of(
        self,
        observables: Sequence[Observable],
        kept_qubits: Sequence[int | None],
        dephased: frozenset[int] = frozenset(),
    ) -> bool:
        """Whether these are the sums of this very sequence of observables, on the same qubits."""
        same = self._kept_qubits == kept_qubits and self._dephased == dephased
        return self._observables is observables and same

    @cached_property
    def operators(self) -> Sequence[Any]:
        """The sums as operators of Qiskit's."""
        return [
            SparsePauliOp.from_list(list(zip(labels, factors, strict=True)), num_qubits=len(self._kept_qubits))
            for labels, factors in zip(self._labels, map(Mapping.values, self._terms), strict=True)
        ]

    def values_in(self, amplitudes: Any) -> list[float]:
        """The expectation value of each sum in a state: complex128 of shape (2^n,), bit q of an index for qubit q."""
        blocks = amplitudes.reshape(-1, 1 << self._block_bits)
        found = np.zeros(len(self._factors))
        for one in self._passes():
            products, conjugated = self._products[: len(one.partners)], self._products[-1]
            for number, block in enumerate(blocks):
                np.conjugate(block, out=conjugated)
                # "clip" only avoids a second buffer: no index is out of range.
                np.take(blocks[number ^ one.block_mask], one.partners, out=products, mode="clip")
                np.multiply(products, conjugated, out=products)
                _add_terms(found, one, products.view(np.float64), number)
        return [float(value) for value in np.bincount(self._owners, self._factors * found, minlength=len(self))]

    def values_in_matrix(self, matrix: Any) -> list[float]:
        """The expectation value of each sum in a density matrix: complex128 of 2^n rows, bits as in `values_in`."""
        found, indices = np.zeros(len(self._factors)), np.arange(len(matrix))
        parts = _PARTS_BY_NUMBER_OF_Y[_ones(self._x_masks & self._z_masks) & 3]
        for (terms,) in _grouped(self._x_masks, 1):
            # All sums over k of (-1)^|k & z| times a number, for each z.
            sums = _transformed(matrix[indices ^ self._x_masks[terms.start], indices])[self._z_masks[terms]]
            found[terms] = sums.real * parts[terms, 0] + sums.imag * parts[terms, 1]
        return [float(value) for value in np.bincount(self._owners, self._factors * found, minlength=len(self))]

    @cached_property
    def _terms(self) -> Sequence[Observable]:
        """The observables without the terms that are 0."""
        if not self._dephased:
            return self._observables
        return [
            {
                label: 0.0 if any(label[-1 - qubit] in "XY" for qubit in self._dephased) else factor
                for label, factor in observable.items()
            }
            for observable in self._observables
        ]

    @cached_property
    def _labels(self) -> Sequence[Sequence[str]]:
        if not self._observables:
            return []
        width = len(next(iter(self._observables[0])))
        letters = [None if qubit is None else width - 1 - qubit for qubit in reversed(self._kept_qubits)]
        if letters == list(range(width)):
            return [list(observable) for observable in self._observables]
        return [
            ["".join(["I" if letter is None else label[letter] for letter in letters]) for label in each]
            for each in self._observables
        ]

    @cached_property
    def _order(self) -> Any:
        """The terms in the order in which they are computed: by x."""
        return np.argsort(self._mask(_X_BITS), kind="stable")

    @cached_property
    def _x_masks(self) -> Any:
        return self._mask(_X_BITS)[self._order]

    @cached_property
    def _z_masks(self) -> Any:
        return self._mask(_Z_BITS)[self._order]

    @cached_property
    def _factors(self) -> Any:
        factors = [factor for observable in self._terms for factor in observable.values()]
        return np.array(factors, dtype=np.float64)[self._order]

    @cached_property
    def _owners(self) -> Any:
        """For each term, the index of its sum."""
        return np.repeat(np.arange(len(self)), [len(each) for each in self._observables])[self._order]

    def _mask(self, bits: Mapping[int, int]) -> Any:
        return np.array([int(label.translate(bits), 2) for each in self._labels for label in each], dtype=np.int64)

    @cached_property
    def _products(self) -> Any:
        """The array for the products of a pass, and one more row; allocating it takes longer than filling it."""
        return np.empty((self._most_masks + 1, 1 << self._block_bits), dtype=np.complex128)

    @property
    def _most_masks(self) -> int:
        """How many masks x a pass has."""
        return 1 << _BLOCK_BITS - self._block_bits

    @property
    def _block_bits(self) -> int:
        return min(len(self._kept_qubits), _BLOCK_BITS)

    @property
    def _low_bits(self) -> int:
        return min(len(self._kept_qubits), _LOW_BITS)

    def _passes(self) -> Sequence[_Pass] | Iterator[_Pass]:
        numbers = len(self._factors) * ((2 << self._low_bits) + (1 << self._block_bits))
        return self._prepared if numbers <= _NUMBERS_PREPARED else self._prepare()

    @cached_property
    def _prepared(self) -> Sequence[_Pass]:
        return list(self._prepare())

    def _prepare(self) -> Iterator[_Pass]:
        indices = np.arange(1 << self._block_bits)
        for groups in _grouped(self._x_masks, self._most_masks):
            first, last = groups[0].start, groups[-1].stop
            masks = np.array([self._x_masks[group.start] for group in groups])
            z = self._z_masks[first:last]
            parts = _PARTS_BY_NUMBER_OF_Y[_ones(self._x_masks[first:last] & z) & 3]
            low = _signs(z, self._low_bits)
            yield _Pass(
                partners=indices ^ (masks & len(indices) - 1)[:, None],
                block_mask=int(masks[0]) >> self._block_bits,
                terms=groups,
                low=(low[:, :, None] * parts[:, None, :]).reshape(len(z), -1),
                high=_signs(z >> self._low_bits, len(self._kept_qubits) - self._low_bits).T,
            )


def _grouped(masks: Any, most_masks: int) -> Iterator[Sequence[slice]]:
    """Slices of terms with equal masks, in sequences of at most `most_masks` slices; `masks` are sorted."""
    starts = [0, *(np.flatnonzero(np.diff(masks)) + 1), len(masks)]
    found: list[slice] = []
    for start, end in pairwise(starts):
        for first in range(start, end, _TERMS_IN_A_PASS):
            last = min(end, first + _TERMS_IN_A_PASS)
            if found and (len(found) == most_masks or last - found[0].start > _TERMS_IN_A_PASS):
                yield found
                found = []
            found.append(slice(first, last))
    if found:
        yield found


def _add_terms(found: Any, one: _Pass, products: Any, block: int) -> None:
    """Add to each term of a pass its sum over a block; `products`, float64, has two numbers for each index."""
    start = one.terms[0].start
    parts = products.shape[1] // one.low.shape[1]
    high = one.high[block * parts : (block + 1) * parts]
    for row, terms in enumerate(one.terms):
        own = slice(terms.start - start, terms.stop - start)
        if len(one.high) == 1:
            found[terms] = one.low[own] @ products[row]
        else:
            sums = products[row].reshape(parts, -1) @ one.low[own].T
            found[terms] += (sums * high[:, own]).sum(axis=0)


def _signs(masks: Any, bits: int) -> Any:
    """(-1)^|k & mask|, float64 of shape (masks, 2^bits), k along the second axis."""
    found = np.ones((len(masks), 1))
    for bit in range(bits):
        found = np.hstack([found, found * (1 - 2 * (masks >> bit & 1))[:, None]])
    return found


def _transformed(numbers: Any) -> Any:
    """The Walsh-Hadamard transform of 2^n numbers, not normalised: entry z is the sum over k of (-1)^|k & z| a[k]."""
    for bit in range(len(numbers).bit_length() - 1):
        pairs = numbers.reshape(-1, 2, 1 << bit)
        numbers = np.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), axis=1).ravel()
    return numbers


def _ones(masks: Any) -> Any:
    """The number of ones in each mask."""
    return sum((masks >> bit & 1 for bit in range(int(masks.max(initial=0)).bit_length())), np.zeros_like(masks))

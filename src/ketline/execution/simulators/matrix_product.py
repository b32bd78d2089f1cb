"""A state of many qubits as a product of tensors, one for each qubit on a line: gates, sampling, expectation values.

The method `matrix_product_state` runs circuits on it.

Nothing is truncated but Schmidt values that are zero up to rounding, so the state is as exact as a statevector.

Sources: G. Vidal, Phys. Rev. Lett. 91, 147902 (2003); M. B. Hastings, J. Math. Phys. 50, 095207 (2009), for updates
that never divide by Schmidt values; U. Schollwöck, Ann. Phys. 326, 96 (2011).
"""

from typing import Any

import numpy as np

from ketline.domain.errors import SimulationFailed
from ketline.execution.circuit.operations import matrix_of
from ketline.execution.circuit.passes.routing import Block

BYTES_PER_NUMBER = 16
# Schmidt values below this part of the largest are rounding errors.
_ZERO = 1e-12
# How many arrays of the size of a block's tensors a decomposition takes beside them; measured.
_COPIES = 6
# Bytes of the vectors that are sampled at a time.
_SAMPLED_BYTES = 1 << 26
_SWAP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=complex)
_PAULIS = {
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=complex),
    "Z": np.array([[1, 0], [0, -1]], dtype=complex),
    "I": np.eye(2, dtype=complex),
}
_PAIR = 2
# The entries of a matrix on two qubits when these change places.
_EXCHANGED = np.ix_([0, 2, 1, 3], [0, 2, 1, 3])


class MatrixProduct:
    """The state of qubits at places 0, 1, … of a line, all 0 at first.

    `tensors` have the shape (bond to the left, 2, bond to the right), complex128, and are right-canonical: over its
    last two indices each is an isometry. `schmidt[k]` are the Schmidt values between the places k - 1 and k, float64.
    """

    def __init__(self, places: int) -> None:
        self.tensors = [np.array([[[1], [0]]], dtype=complex) for _ in range(places)]
        self.schmidt = [np.ones(1) for _ in range(places + 1)]
        self.numbers = 2 * places

    @property
    def bond(self) -> int:
        """The largest bond dimension now."""
        return max(map(len, self.schmidt))

    def bonds_around(self, block: Block) -> tuple[int, int]:
        """The bond dimensions left and right of a block's places."""
        return len(self.schmidt[block.place]), len(self.schmidt[block.place + block.width])

    def bond_within(self, block: Block) -> int:
        """The largest bond dimension between a block's places."""
        return max(len(self.schmidt[cut]) for cut in range(block.place, block.place + block.width))

    def bytes_for(self, block: Block) -> int:
        """The most memory that the tensors take while a block is applied."""
        left, right = self.bonds_around(block)
        return BYTES_PER_NUMBER * (self.numbers + _COPIES * (left * right << block.width))

    def apply(self, block: Block) -> None:
        """Apply the gates of a block.

        Raises:
            SimulationFailed: LAPACK found no singular values.
        """
        matrix = block_matrix(block)
        if block.width == 1:
            self.tensors[block.place] = np.matmul(matrix, self.tensors[block.place])
            return
        end = block.place + block.width
        joined = self.tensors[block.place]
        for tensor in self.tensors[block.place + 1 : end]:
            joined = joined.reshape(-1, tensor.shape[0]) @ tensor.reshape(tensor.shape[0], -1)
        left, right = self.bonds_around(block)
        joined = np.matmul(matrix, joined.reshape(left, 1 << block.width, right))
        try:
            self._split(joined, block.place, end)
        except np.linalg.LinAlgError as error:
            raise SimulationFailed("a tensor of the matrix product state could not be decomposed") from error

    def _split(self, joined: Any, start: int, end: int) -> None:
        """Decompose the joint tensor of the places from `start` to `end` - 1, the rightmost place first."""
        weights = self.schmidt[start][:, np.newaxis]
        left, _, bond = joined.shape
        for place in range(end - 1, start, -1):
            rows = left << place - start
            weighted = (weights * joined.reshape(left, -1)).reshape(rows, 2 * bond)
            _, values, isometry = np.linalg.svd(weighted, full_matrices=False)
            kept = int(np.count_nonzero(values > _ZERO * values[0]))
            values, isometry = values[:kept], isometry[:kept]
            self._replace(place, isometry.reshape(kept, 2, bond))
            self.schmidt[place] = values / np.sqrt(values @ values)
            joined = joined.reshape(rows, 2 * bond) @ isometry.conj().T
            bond = kept
        self._replace(start, joined.reshape(left, 2, bond))

    def _replace(self, place: int, tensor: Any) -> None:
        self.numbers += tensor.size - self.tensors[place].size
        self.tensors[place] = tensor

    def sample(self, shots: int, random: np.random.Generator) -> tuple[Any, Any]:
        """Independent outcomes of measuring all places: different ones as rows of bits, uint8, and their counts.

        Outcomes can occur in several rows.
        """
        batch = max(1, _SAMPLED_BYTES // (_PAIR * BYTES_PER_NUMBER * self.bond))
        found = [self._sample(min(batch, shots - start), random) for start in range(0, shots, batch)]
        return np.concatenate([bits for bits, _ in found]), np.concatenate([counts for _, counts in found])

    def _sample(self, shots: int, random: np.random.Generator) -> tuple[Any, Any]:
        """Draw place by place; shots that agree so far have one vector, the state of the other places given those."""
        vectors, counts = np.ones((1, 1), dtype=complex), np.array([shots])
        bits = np.empty((1, len(self.tensors)), dtype=np.uint8)
        for place, tensor in enumerate(self.tensors):
            left, _, right = tensor.shape
            branches = (vectors @ tensor.reshape(left, 2 * right)).reshape(-1, 2, right)
            weights = np.square(np.abs(branches)).sum(axis=2)
            ones = random.binomial(counts, weights[:, 1] / weights.sum(axis=1))
            drawn = np.stack([counts - ones, ones], axis=1)
            rows, values = np.nonzero(drawn)
            counts = drawn[rows, values]
            vectors = branches[rows, values] / np.sqrt(weights[rows, values])[:, np.newaxis]
            bits = bits[rows]
            bits[:, place] = values
        return bits, counts

    def expectation(self, paulis: str) -> float:
        """The expectation value of a product of Pauli operators, a letter for each place in order."""
        first = len(paulis) - len(paulis.lstrip("I"))
        last = len(paulis.rstrip("I"))
        if first >= last:
            return 1.0
        # Left of `first` the state and its conjugate meet in the Schmidt values, right of `last` in the identity.
        met = np.diag(self.schmidt[first].astype(complex) ** 2)
        for letter, tensor in zip(paulis[first:last], self.tensors[first:last], strict=True):
            left, _, right = tensor.shape
            acted = np.matmul(_PAULIS[letter], tensor)
            met = (met @ acted.reshape(left, -1)).reshape(left * 2, right)
            met = tensor.reshape(left * 2, right).conj().T @ met
        return float(np.trace(met).real)


def block_matrix(block: Block) -> Any:
    """The unitary of a block, complex128 of 2^width rows; the first place is the most significant bit of an index."""
    result = np.eye(1 << block.width, dtype=complex)
    for gate, offsets in block.parts:
        matrix = _SWAP if gate is None else np.asarray(matrix_of(gate))
        result = _applied(matrix, offsets, result, block.width)
    return result


def _applied(matrix: Any, offsets: tuple[int, ...], result: Any, width: int) -> Any:
    """A gate's matrix, bit j of an index for `offsets[j]`, times a matrix on all places."""
    gate_qubits, first = len(offsets), offsets[0]
    if gate_qubits == 1:
        return np.matmul(matrix, result.reshape(1 << first, 2, -1)).reshape(result.shape)
    if gate_qubits == _PAIR and abs(first - offsets[1]) == 1:
        if first < offsets[1]:
            matrix = matrix[_EXCHANGED]
        return np.matmul(matrix, result.reshape(1 << min(offsets), 4, -1)).reshape(result.shape)
    axes = [*reversed(offsets)]
    tensor = result.reshape((2,) * width + (-1,))
    gate = np.asarray(matrix).reshape((2,) * (2 * gate_qubits))
    moved = np.tensordot(gate, tensor, axes=(range(gate_qubits, 2 * gate_qubits), axes))
    return np.moveaxis(moved, range(gate_qubits), axes).reshape(result.shape)

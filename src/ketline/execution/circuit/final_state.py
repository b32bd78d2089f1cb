"""What outputs need of the final state of a circuit, and how they are computed from its amplitudes.

The bit order is Qiskit's: bit j of an index is the j-th of the qubits. Sources of the formulas: Nielsen and Chuang,
Quantum Computation and Quantum Information, sections 2.4.3 (partial trace), 2.5 (Schmidt decomposition) and 11.3
(entropy).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketline.domain.errors import OutputsInvalid, ProgramTooLarge
from ketline.domain.outputs import COMPLEX, WHOLE, OutputType, RequestedOutput

# A singular value decomposition of a state with a cut through 11 qubits takes a minute.
MOST_CUT_QUBITS = 11


@dataclass(frozen=True, slots=True)
class FinalState:
    """The part of a final state that outputs need: these qubits, or all; `from_any_state` for a unitary."""

    qubits: frozenset[int] | None
    from_any_state: bool

    def require_fit(self, qubits: int) -> Collection[int]:
        """The indices of the needed qubits of a circuit of so many.

        Raises:
            OutputsInvalid: it does not have one of them, or has no qubits at all.
        """
        if not qubits:
            raise OutputsInvalid("the program has no qubits, so it has no state: declare some, or ask for counts")
        if self.qubits is None:
            return range(qubits)
        if (last := max(self.qubits)) >= qubits:
            raise OutputsInvalid(
                f"an output names qubit {last}, and the program has {qubits}: they are numbered from 0, "
                "in the order of declaration"
            )
        return self.qubits


def final_state_of(outputs: Sequence[RequestedOutput]) -> FinalState:
    """What these outputs, of which there is at least one, need."""
    whole = any(one.qubits is None for one in outputs)
    qubits = None if whole else frozenset(qubit for one in outputs for qubit in one.qubits or ())
    return FinalState(qubits, any(one.type is OutputType.UNITARY for one in outputs))


def numbers_in(output: RequestedOutput, qubits: int) -> int:
    """The real numbers in the values of an output of a circuit of so many qubits."""
    size = 1 << (qubits if output.qubits is None else len(output.qubits))
    match output.type:
        case OutputType.ENTROPY:
            return 1
        case OutputType.DENSITY_MATRIX | OutputType.UNITARY:
            size *= size
    return 2 * size if output.type in COMPLEX else size


def require_cut(output: RequestedOutput, qubits: int) -> None:
    """Compare the cut of an entropy with what can be computed.

    Raises:
        ProgramTooLarge: it separates too many qubits from as many others.
    """
    part = qubits if output.qubits is None else len(output.qubits)
    if output.type is OutputType.ENTROPY and min(part, qubits - part) > MOST_CUT_QUBITS:
        raise ProgramTooLarge(
            f"the entropy of {part} qubits with {qubits - part} others is not computed: "
            f"one of the two must have at most {MOST_CUT_QUBITS} qubits"
        )


def value_of(output: OutputType, amplitudes: Any, qubits: Sequence[int]) -> Any:
    """The value of an output other than `unitary`: an array, or a number for an entropy.

    `amplitudes` are 2^n complex numbers, and `qubits` are numbered from 0 to n - 1.
    """
    if output in WHOLE:
        return amplitudes
    kept = _kept_first(amplitudes, qubits)
    match output:
        case OutputType.PROBABILITIES:
            return (np.abs(kept) ** 2).sum(axis=1)
        case OutputType.DENSITY_MATRIX:
            return kept @ kept.conj().T
        case _:
            return _entropy(kept)


def as_values(array: Any) -> Any:
    """Nested lists of numbers, in which a complex number is a pair of real and imaginary part."""
    array = np.asarray(array)
    if np.iscomplexobj(array):
        array = np.stack((array.real, array.imag), axis=-1)
    return array.tolist()


def _kept_first(amplitudes: Any, qubits: Sequence[int]) -> Any:
    """The amplitudes as a matrix: a row for each state of these qubits, a column for each of the others."""
    total = len(amplitudes).bit_length() - 1
    # Axis 0 of the tensor is the most significant bit of an index.
    axes = [total - 1 - qubit for qubit in reversed(qubits)]
    others = [axis for axis in range(total) if axis not in set(axes)]
    return amplitudes.reshape((2,) * total).transpose(axes + others).reshape(1 << len(qubits), -1)


def _entropy(matrix: Any) -> float:
    """The entropy, in bits, of the squares of the Schmidt coefficients."""
    shares = np.linalg.svd(matrix, compute_uv=False) ** 2
    shares = shares[shares > 0]
    return abs(float(-(shares * np.log2(shares)).sum()))

"""Corrects counts for readout errors: computes quasi-probabilities of the outcomes and the nearest probabilities.

The confusion matrix of the outcomes is the tensor product of the confusion matrices of the qubits. The correction uses
only the rows and columns of outcomes that occur in the counts, with each column divided by its sum. If every outcome
occurs, this is the whole matrix.

Sources: P. Nation, H. Kang, N. Sundaresan and J. Gambetta, PRX Quantum 2, 040326 (2021), section II, for the matrix and
the overhead; J. Smolin, J. Gambetta and G. Smith, Phys. Rev. Lett. 108, 070502 (2012), for the nearest probabilities.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.limits import MAX_CORRECTED_OUTCOMES
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.channels import Misreading
from ketline.execution.simulators.estimation.calibration import Calibration
from ketline.execution.simulators.estimation.readout import determinant_of

# Up to this number of measured bits, `_require_separate` checks every combination of them.
_FEW_BITS = 10


class Corrected(NamedTuple):
    """Corrected counts in the format of a task's result, and the number of qubits whose readout was corrected."""

    result: Mapping[str, object]
    qubits: int


class CorrectedBits:
    """Corrects the counts of one program. A bit is identified by its place in a bitstring, 0 for the rightmost bit."""

    def __init__(self, program: Program, calibration: Calibration) -> None:
        """Raises:
        ProgramUnsupported: not all measurements are at the end, the program computes bits from measured bits, or
            the reading of a qubit does not depend on its state.
        """
        self._images = _images(program)
        self._readings: dict[int, Misreading] = {}
        for qubit, image in self._images.items():
            number = program.lowered.kept_qubits[qubit]
            reading = calibration.misreading(program, number)
            if reading is not None:
                determinant_of(reading, number)
                self._readings[_place_of(image)] = reading

    def corrected(self, counts: Mapping[str, int]) -> Corrected:
        """The counts corrected for readout errors.

        Raises:
            ProgramTooLarge: the counts contain too many different outcomes.
            ProgramUnsupported: an outcome contains a bit that is computed from others, or the confusion matrix of the
                counted outcomes is singular.
        """
        if len(counts) > MAX_CORRECTED_OUTCOMES:
            raise ProgramTooLarge(
                f"the counts have {len(counts)} different outcomes, and readout errors are corrected of at most "
                f"{MAX_CORRECTED_OUTCOMES:,}: measure fewer bits, or ask for observables"
            )
        _require_measured(list(counts), self._images.values())
        shares = np.array(list(counts.values()), dtype=np.float64)
        try:
            quasi = np.linalg.solve(self._confusion(list(counts)), shares / shares.sum())
        except np.linalg.LinAlgError as error:
            raise _not_invertible() from error
        nearest = nearest_probabilities(quasi)
        result = {
            "quasi_probabilities": dict(zip(counts, quasi.tolist(), strict=True)),
            "probabilities": dict(zip(counts, nearest.tolist(), strict=True)),
            "overhead": self._overhead(),
        }
        return Corrected(result, len(self._readings))

    def _confusion(self, keys: Sequence[str]) -> Any:
        """The confusion matrix: the probability of reading the outcome of the row if that of the column is true.

        Both axes are in the order of `keys`, and each column sums to 1.

        Raises:
            ProgramUnsupported: a counted outcome, if it were the true one, could be read as none of the counted ones.
        """
        bits = np.array([list(key.replace(" ", "")[::-1]) for key in keys]) == "1"
        matrix = np.ones((len(keys), len(keys)))
        # Bits that registers share are equal, so one of them is enough; bits that are not measured are always 0.
        for place in map(_place_of, self._images.values()):
            p01, p10 = self._readings.get(place, (0.0, 0.0))
            of_bits = np.array([[1 - p01, p10], [p01, 1 - p10]])
            read = bits[:, place].astype(np.intp)
            matrix *= of_bits[np.ix_(read, read)]
        sums = matrix.sum(axis=0)
        if not sums.all():
            raise _not_invertible()
        return matrix / sums

    def _overhead(self) -> float:
        """The largest factor by which the correction can increase the variance of a mean value.

        This is the squared 1-norm of the inverse of the whole confusion matrix.
        """
        return prod(((1 + abs(p01 - p10)) / abs(1 - p01 - p10)) ** 2 for p01, p10 in self._readings.values())


def nearest_probabilities(quasi: Any) -> Any:
    """The probabilities nearest to `quasi` in the Euclidean norm; both are float64 of the same 1-D shape."""
    falling = np.sort(quasi)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(quasi) + 1)
    kept = np.flatnonzero(falling > excess)[-1]
    return np.clip(quasi - excess[kept], 0, None)


def _images(program: Program) -> Mapping[int, int]:
    """Maps each measured qubit of the circuit to a mask of the bits of a bitstring that its measurement sets.

    Raises:
        ProgramUnsupported: not all measurements are at the end, or the program computes bits from measured bits.
    """
    measured = program.lowered.final_measurements
    if measured is None:
        raise ProgramUnsupported(
            "readout errors of counts are corrected where all measurements are at the end: leave the correction out, "
            "or resets, branches and earlier measurements"
        )
    shown = program.outcome
    images = {qubit: 1 << bit if shown is None else shown(1 << bit) for qubit, bit in measured}
    if 0 in images.values() or _overlap(images.values()):
        raise _computed()
    if shown is not None:
        _require_separate(program, shown, {1 << bit: images[qubit] for qubit, bit in measured})
    return images


def _require_separate(program: Program, shown: Callable[[int], int], images: Mapping[int, int]) -> None:
    """Check that several measured bits together set exactly the bits that each of them sets alone.

    `images` maps the mask of each measured bit to the mask of the bits that it sets alone. A condition on several
    bits, such as `if (c == 3) { c = 0; }`, takes effect only if all of them are 1. Up to `_FEW_BITS` bits, every
    combination is checked; with more bits, a program that may contain such a condition is rejected.

    Raises:
        ProgramUnsupported: bits together set something else than each alone, or may do so.
    """
    masks = list(images)
    few = len(masks) <= _FEW_BITS
    if not few and program.computes_bits:
        raise _computed()
    chosen = [ones for size in range(len(masks) + 1) for ones in combinations(masks, size)] if few else []
    for ones in ((), tuple(masks), *chosen):
        if shown(sum(ones)) != sum(images[mask] for mask in ones):
            raise _computed()


def _place_of(image: int) -> int:
    return image.bit_length() - 1


def _overlap(masks: Iterable[int]) -> bool:
    """Whether two masks have a bit in common."""
    seen = 0
    for mask in masks:
        if seen & mask:
            return True
        seen |= mask
    return False


def _require_measured(keys: Sequence[str], images: Iterable[int]) -> None:
    """Check that each outcome is a union of the masks in `images`, which the measured bits set.

    Raises:
        ProgramUnsupported: an outcome contains a bit that is computed from others.
    """
    masks = list(images)
    for key in keys:
        outcome = int(key.replace(" ", "") or "0", 2)
        if outcome != sum(mask for mask in masks if outcome & mask):
            raise _computed()


def _not_invertible() -> ProgramUnsupported:
    return ProgramUnsupported(
        "the readout errors of these counts cannot be corrected, because the counted outcomes do not tell the true "
        "ones apart: use more shots, or leave the correction out"
    )


def _computed() -> ProgramUnsupported:
    return ProgramUnsupported(
        "readout errors of counts are corrected of measured bits, and this program computes others from them: leave "
        "the correction out, or write the bits as they are measured"
    )

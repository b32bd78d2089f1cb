"""Counts without readout errors: quasi-probabilities of the outcomes that were counted, and the probabilities nearest.

The confusion matrix of outcomes is the product of those of the qubits. Of it only the rows and columns of outcomes that
were counted are used, each column divided by its sum; where all outcomes were counted, that is the whole matrix.

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

# Up to this number of measured bits all pairs of outcomes are compared.
_FEW_BITS = 10


class Corrected(NamedTuple):
    """Corrected counts as the result of a task has them, and how many qubits were corrected."""

    result: Mapping[str, object]
    qubits: int


class CorrectedBits:
    """The measured bits of a program that are misread: the place of each in a bitstring, 0 for the rightmost bit."""

    def __init__(self, program: Program, calibration: Calibration) -> None:
        """Raises:
        ProgramUnsupported: measurements are not all at the end, the program computes its bits from those that it
            measures, or a qubit reads the same whatever it is.
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
        """The corrected counts.

        Raises:
            ProgramTooLarge: there are too many different outcomes.
            ProgramUnsupported: one has a bit that is computed from others, or what was counted cannot be corrected.
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
        """The probability of each counted outcome, a row, where another one, a column, is true; columns add up to 1.

        Raises:
            ProgramUnsupported: an outcome, if true, would be read as none of them.
        """
        bits = np.array([list(key.replace(" ", "")[::-1]) for key in keys]) == "1"
        matrix = np.ones((len(keys), len(keys)))
        # One of the bits that registers share is enough, and bits that are not measured are all 0.
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
        """How many times the variance of a mean value may grow: the squared 1-norm of the inverse of the matrix."""
        return prod(((1 + abs(p01 - p10)) / abs(1 - p01 - p10)) ** 2 for p01, p10 in self._readings.values())


def nearest_probabilities(quasi: Any) -> Any:
    """The probabilities with the least squared distance from quasi-probabilities; float64, of the same shape."""
    falling = np.sort(quasi)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(quasi) + 1)
    kept = np.flatnonzero(falling > excess)[-1]
    return np.clip(quasi - excess[kept], 0, None)


def _images(program: Program) -> Mapping[int, int]:
    """The bits of a bitstring, as a mask, that each measured qubit of the circuit sets.

    Raises:
        ProgramUnsupported: bits are not those of measurements at the end.
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
    """Compare what some measured bits together set with what each sets alone; `images` has that by the bit's mask.

    A condition on several bits, as `if (c == 3) { c = 0; }`, shows only where they are 1 together. Of few bits all
    outcomes are compared; of more none, and programs that may have such a condition are rejected.

    Raises:
        ProgramUnsupported: they set something else, or may do so.
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
    """Compare outcomes with those that the measured bits alone give.

    Raises:
        ProgramUnsupported: one has a bit that is computed from others.
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

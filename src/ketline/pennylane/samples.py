"""The outcomes of one circuit's shots: of its wires, and of its measurements inside the circuit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Outcomes as integers: `outcomes` of shape (shots, wires), and `inside` of shape (shots, 1) by measurement.

    `valid` says which shots have the outcomes that measurements inside the circuit are postselected for.
    """

    wires: Sequence[Any]
    outcomes: Any
    inside: Mapping[Any, Any]
    valid: Any

    @property
    def selected(self) -> Any:
        """The outcomes of the wires in valid shots."""
        return self.outcomes[self.valid]

    def part(self, first: int, last: int) -> Self:
        """The shots from one number to another, which is not included."""
        return type(self)(
            wires=self.wires,
            outcomes=self.outcomes[first:last],
            inside={measurement: outcomes[first:last] for measurement, outcomes in self.inside.items()},
            valid=self.valid[first:last],
        )


def samples_of(
    counts: Mapping[str, int], wires: Sequence[Any], inside: Sequence[Any], random: np.random.Generator
) -> Samples:
    """Shots in random order with these counts.

    Their keys have a bit for each measurement inside the circuit, in order from the right, then one for each wire.
    """
    bits = "".join(key.replace(" ", "")[::-1] for key in counts)
    width = len(wires) + len(inside)
    letters = np.frombuffer(bits.encode("ascii"), dtype=np.uint8).reshape(len(counts), width)
    rows = np.repeat(letters.astype(np.int64) - ord("0"), list(counts.values()), axis=0)
    return _samples(random.permutation(rows), wires, inside)


def no_outcomes(shots: int) -> Samples:
    """The shots of a circuit that measures nothing."""
    return _samples(np.zeros((shots, 0), dtype=np.int64), (), ())


def _samples(rows: Any, wires: Sequence[Any], inside: Sequence[Any]) -> Samples:
    columns = {measurement: rows[:, [place]] for place, measurement in enumerate(inside)}
    valid = np.ones(len(rows), dtype=bool)
    for measurement, outcomes in columns.items():
        if measurement.postselect is not None:
            valid &= outcomes[:, 0] == measurement.postselect
    return Samples(wires=wires, outcomes=rows[:, len(inside) :], inside=columns, valid=valid)

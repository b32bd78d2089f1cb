"""The values that measured bits stand for where qubits are misread: the inverse of each qubit's confusion matrix.

The product of such values over the qubits of an operator has the expectation value that the operator has without
readout errors, because qubits are misread independently. Source: S. Bravyi et al., Phys. Rev. A 103, 042605 (2021),
section II (tensor product noise).
"""

from collections.abc import Callable, Iterable, Mapping

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.simulators.channels import Misreading

# The least determinant of a confusion matrix; it is 0 if a qubit reads the same in both states.
_MIN_DETERMINANT = 1e-6


# How a declared qubit is misread; None for one that is not.
Misread = Callable[[int], Misreading | None]


def corrected_signs(misread: Misread, qubits: Iterable[int]) -> Mapping[int, tuple[float, float]]:
    """For each of these declared qubits that is misread, what Z counts for where it reads 0, and where it reads 1.

    Raises:
        ProgramUnsupported: a qubit reads the same, whatever it is.
    """
    found = {}
    for qubit in qubits:
        reading = misread(qubit)
        if reading is None:
            continue
        p01, p10 = reading
        determinant = determinant_of(reading, qubit)
        found[qubit] = (1 + p01 - p10) / determinant, -(1 - p01 + p10) / determinant
    return found


def sign_slopes(reading: Misreading) -> tuple[tuple[float, float], tuple[float, float]]:
    """The derivatives of what Z counts for where a qubit reads 0, and where it reads 1: by `p01`, and by `p10`."""
    p01, p10 = reading
    scale = 2 / (1 - p01 - p10) ** 2
    return (scale * (1 - p10), -scale * p10), (scale * p01, -scale * (1 - p01))


def determinant_of(reading: Misreading, qubit: int) -> float:
    """The determinant of the confusion matrix of a qubit.

    Raises:
        ProgramUnsupported: it reads the same, whatever it is.
    """
    determinant = 1 - reading.p01 - reading.p10
    if abs(determinant) < _MIN_DETERMINANT:
        raise ProgramUnsupported(
            f"readout errors of qubit {qubit} cannot be corrected: it reads 1 with the same probability, whether "
            "it is 0 or 1"
        )
    return determinant

"""Computes the values of Z that correct readout errors, from the inverse of each qubit's confusion matrix.

Qubits are misread independently. The product of these values over the qubits of an operator therefore has the
expectation value of the operator without readout errors. Source: S. Bravyi et al., Phys. Rev. A 103, 042605 (2021),
section II (tensor product noise).
"""

from collections.abc import Callable, Iterable, Mapping

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.simulators.channels import Misreading

# The least absolute determinant of a confusion matrix that is inverted. The determinant is 0 if the probability of
# reading 1 is the same in both states.
_MIN_DETERMINANT = 1e-6


# Returns the misreading probabilities of a declared qubit; None for a qubit without readout errors.
Misread = Callable[[int], Misreading | None]


def corrected_signs(misread: Misread, qubits: Iterable[int]) -> Mapping[int, tuple[float, float]]:
    """The corrected values of Z for the readings 0 and 1 of each declared qubit that has readout errors.

    Raises:
        ProgramUnsupported: the reading of a qubit does not depend on its state.
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
    """The derivatives of the corrected values of Z for the readings 0 and 1: first by `p01`, then by `p10`."""
    p01, p10 = reading
    scale = 2 / (1 - p01 - p10) ** 2
    return (scale * (1 - p10), -scale * p10), (scale * p01, -scale * (1 - p01))


def determinant_of(reading: Misreading, qubit: int) -> float:
    """The determinant of the confusion matrix of a qubit.

    Raises:
        ProgramUnsupported: the reading of the qubit does not depend on its state.
    """
    determinant = 1 - reading.p01 - reading.p10
    if abs(determinant) < _MIN_DETERMINANT:
        raise ProgramUnsupported(
            f"readout errors of qubit {qubit} cannot be corrected: it reads 1 with the same probability, whether "
            "it is 0 or 1"
        )
    return determinant

"""What the standard errors of measured readout errors make of values that are corrected with these.

To first order: a value changes with a probability of misreading by its derivative. Readout errors of different qubits
and states are measured independently of each other and of the shots; all bases and scale factors share them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ketline.execution.circuit.observables.pauli_bases import Basis
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import CalibrationErrors
from ketline.execution.simulators.estimation.calibration import Calibration
from ketline.execution.simulators.estimation.readout import sign_slopes

Signs = Mapping[int, tuple[float, float]]


class ReadingErrors:
    """Adds up these errors over the bases of an estimate of so many observables.

    `signs` has what Z counts for where a declared qubit reads 0, and where it reads 1.
    """

    def __init__(self, calibration: Calibration, program: Program, signs: Signs, observables: int) -> None:
        # By declared qubit, the changes of its two signs by both standard errors, each relative to the sign.
        self._changes: dict[int, Any] = {}
        self._numbers = {qubit: program.device_qubit(qubit) for qubit in signs}
        for qubit, number in self._numbers.items():
            reading, deviations = calibration.misreading(program, number), calibration.deviations(number)
            if reading is not None and deviations is not None:
                slopes = np.array(sign_slopes(reading)) * np.array(deviations)[:, np.newaxis]
                self._changes[qubit] = slopes / np.array(signs[qubit])
        self._found: dict[tuple[int, int], Any] = defaultdict(lambda: np.zeros(observables))

    def add(self, basis: Basis, bits: Any, products: Mapping[int, Any]) -> None:
        """Add those of a basis.

        `bits` are the distinct outcomes, a column for each of its letters; `products` has for each observable the
        values of its terms for them, a row for each term, times their share of the shots.
        """
        changes = {
            qubit: self._changes[qubit][:, bits[:, column]]
            for column, qubit in enumerate(basis.letters)
            if qubit in self._changes
        }
        for number, terms in basis.terms.items():
            for term, product in zip(terms, products[number], strict=True):
                for qubit in changes.keys() & set(term.qubits):
                    for state, change in enumerate(changes[qubit] @ product):
                        self._found[self._numbers[qubit], state][number] += change

    def of_shots(self, errors: Any) -> CalibrationErrors | None:
        """All of them, beside the errors by shots alone; None where readout errors are known exactly."""
        return CalibrationErrors(errors.tolist(), dict(self._found)) if self._changes else None


def with_calibration(errors: Any, by_reading: Iterable[Any]) -> Any:
    """The root of the sum of squares of standard errors from shots and from readings, which are independent."""
    return np.sqrt(np.square(errors) + sum(map(np.square, by_reading)))

"""Propagates the standard errors of measured readout errors to the expectation values that they correct.

The propagation is linear: it multiplies the standard error of each misreading probability by the derivative of the
value with respect to that probability. The readout errors of different qubits and states are measured independently
of each other and of the shots; all bases and scale factors share the same measured readout errors.
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
    """Sums the propagated readout errors of each observable over the measurement bases. Used by `Estimator.estimate`.

    `signs` maps each declared qubit to the corrected values of Z for the readings 0 and 1. `observables` is the
    number of observables.
    """

    def __init__(self, calibration: Calibration, program: Program, signs: Signs, observables: int) -> None:
        # For each declared qubit, an array of shape (prepared state, bit read): the change of the corrected value of Z
        # by one standard error, relative to that value.
        self._changes: dict[int, Any] = {}
        self._numbers = {qubit: program.device_qubit(qubit) for qubit in signs}
        for qubit, number in self._numbers.items():
            reading, deviations = calibration.misreading(program, number), calibration.deviations(number)
            if reading is not None and deviations is not None:
                slopes = np.array(sign_slopes(reading)) * np.array(deviations)[:, np.newaxis]
                self._changes[qubit] = slopes / np.array(signs[qubit])
        self._found: dict[tuple[int, int], Any] = defaultdict(lambda: np.zeros(observables))

    def add(self, basis: Basis, bits: Any, products: Mapping[int, Any]) -> None:
        """Add the contributions of one basis.

        `bits` contains a row for each distinct outcome and a column for each letter of the basis. `products` maps the
        index of each observable to a row for each of its terms: the value of the term for each outcome, multiplied by
        the fraction of the shots with that outcome.
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
        """The sums together with `errors`, the contributions of the shots; None if no readout error was measured."""
        return CalibrationErrors(errors.tolist(), dict(self._found)) if self._changes else None


def with_calibration(errors: Any, by_reading: Iterable[Any]) -> Any:
    """The total standard errors: the root sum of squares of the independent contributions of shots and readout."""
    return np.sqrt(np.square(errors) + sum(map(np.square, by_reading)))

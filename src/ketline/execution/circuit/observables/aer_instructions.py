"""Observables: the qubits that they act on, and their expectation values as instructions of Aer.

Lowering keeps these qubits, and the simulators compute the values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit_aer.library import SaveExpectationValue, SaveStatevector

from ketline.domain.errors import ObservablesInvalid
from ketline.domain.results.observable import Observables
from ketline.domain.results.observables import observables_at

# Aer takes half a millisecond for each operator, whatever its size; numpy is faster on a small saved state.
MAX_QUBITS_SAVED = 16
_STATE = "state"


@dataclass(frozen=True, slots=True)
class Support:
    """The qubits, of `width` in all, that some operator acts on; at least one. On the `flipped` some is X or Y."""

    width: int
    qubits: frozenset[int]
    flipped: frozenset[int] = frozenset()

    def require_fit(self, qubits: int) -> None:
        """Compare the number of letters of the labels with that of a circuit's qubits.

        Raises:
            ObservablesInvalid: they are not equal.
        """
        if self.width != qubits:
            raise ObservablesInvalid(
                f"the labels of the observables have {self.width} letters, and the circuit has {qubits} qubits: "
                "a letter is needed for each, the rightmost for qubit 0"
            )


def support_of(observables: Observables) -> Support:
    """The qubits that observables act on; an identity counts as acting on qubit 0. Labels must have equal lengths."""
    labels = [label for at_point in observables_at(observables, len(observables)) for one in at_point for label in one]
    width = len(labels[0])
    if any(len(label) != width for label in labels):
        raise ObservablesInvalid("the labels of the observables are not all of one length")
    letters = {(width - 1 - index, letter) for label in set(labels) for index, letter in enumerate(label)}
    qubits = {qubit for qubit, letter in letters if letter != "I"}
    return Support(width, frozenset(qubits or {0}), frozenset(qubit for qubit, letter in letters if letter in "XY"))


def saving_circuit(circuit: Any, operators: Sequence[Any]) -> Any:
    """The circuit with instructions that save the expectation value of each operator; without operators, the state."""
    result = circuit.copy()
    for number, operator in enumerate(operators):
        result.append(SaveExpectationValue(operator, label=str(number)), result.qubits)
    if not operators:
        result.append(SaveStatevector(result.num_qubits, label=_STATE), result.qubits)
    return result


def saved_state(data: Any) -> Any:
    """The amplitudes that a run of a `saving_circuit` saved, complex128."""
    return np.asarray(getattr(data, _STATE))


def saved_values(data: Any, operators: Sequence[Any]) -> list[float]:
    """The expectation values that a run of a `saving_circuit` saved."""
    return [float(getattr(data, str(number))) for number in range(len(operators))]

"""Sums of Pauli operators: the qubits that they act on, and their expectation values in a state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_aer.library import SaveExpectationValue, SaveStatevector

from ketline.domain.errors import ObservablesInvalid
from ketline.domain.observables import observables_at
from ketline.domain.spec import Observable, Observables

# Aer takes half a millisecond for each operator, whatever its size; Qiskit is faster on a small saved state.
MOST_QUBITS_SAVED = 16
_STATE = "state"


@dataclass(frozen=True, slots=True)
class Support:
    """The qubits, of `width` in all, that some operator acts on; at least one."""

    width: int
    qubits: frozenset[int]

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
    qubits = {width - 1 - place for label in set(labels) for place, letter in enumerate(label) if letter != "I"}
    return Support(width, frozenset(qubits or {0}))


def operator_of(observable: Observable, kept_qubits: Sequence[int]) -> Any:
    """The operator on the qubits that were kept, given by their original indices."""
    width = len(next(iter(observable)))
    letters = [width - 1 - qubit for qubit in reversed(kept_qubits)]
    terms = [("".join(label[letter] for letter in letters), factor) for label, factor in observable.items()]
    return SparsePauliOp.from_list(terms, num_qubits=len(kept_qubits))


def saving_circuit(circuit: Any, operators: Sequence[Any]) -> Any:
    """The circuit with instructions that save the expectation value of each operator; without operators, the state."""
    result = circuit.copy()
    for number, operator in enumerate(operators):
        result.append(SaveExpectationValue(operator, label=str(number)), result.qubits)
    if not operators:
        result.append(SaveStatevector(result.num_qubits, label=_STATE), result.qubits)
    return result


def values_in_state(data: Any, operators: Sequence[Any]) -> list[float]:
    """The expectation values of operators in the state that a run of a `saving_circuit` saved."""
    state = Statevector(np.asarray(getattr(data, _STATE)))
    return [float(state.expectation_value(operator).real) for operator in operators]


def saved_values(data: Any, operators: Sequence[Any]) -> list[float]:
    """The expectation values that a run of a `saving_circuit` saved."""
    return [float(getattr(data, str(number))) for number in range(len(operators))]

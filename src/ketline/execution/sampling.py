"""Draws outcomes from the exact distribution of a circuit that is measured at its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit_aer.library import SaveProbabilities

from ketline.execution.keys import counts_of
from ketline.execution.lower import Lowered

LABEL = "probabilities"
# Rounding leaves as much where the probability is none.
_NOTHING = 1e-15


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Outcomes that occur and their probabilities, float64 of the same length, which sum to one.

    An outcome is a number whose bit n is the n-th declared bit.
    """

    outcomes: Sequence[int]
    probabilities: Any

    def draw(
        self, shots: int, seed: int | None, key: Callable[[int], str], *, memory: bool
    ) -> tuple[dict[str, int], Sequence[str] | None]:
        """Counts of so many independent shots in the order of their keys, and with `memory` each shot's outcome.

        One multinomial draw has the distribution of the counts of independent shots; given the counts, every order of
        the shots is equally likely.
        """
        random = np.random.default_rng(seed)
        drawn = random.multinomial(shots, self.probabilities)
        found = np.flatnonzero(drawn).tolist()
        keys = [key(self.outcomes[number]) for number in found]
        counts = [int(drawn[number]) for number in found]
        shuffled = random.permutation(np.repeat(np.arange(len(keys)), counts)) if memory else None
        order = None if shuffled is None else [keys[number] for number in shuffled]
        return counts_of(zip(keys, counts, strict=True)), order


def probability_circuit(lowered: Lowered, measured: Sequence[tuple[int, int]]) -> Any:
    """The circuit without its measurements, and then what saves the probabilities of the measured qubits.

    They come as 2^m numbers; bit j of an index is the j-th measured qubit.
    """
    circuit = lowered.circuit
    result = QuantumCircuit(circuit.num_qubits)
    place = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    for instruction in circuit.data:
        if instruction.operation.name != "measure":
            result.append(instruction.operation, [place[qubit] for qubit in instruction.qubits], copy=False)
    result.append(SaveProbabilities(len(measured), label=LABEL), [qubit for qubit, _ in measured])
    return result


def distribution_of(probabilities: Any, measured: Sequence[tuple[int, int]]) -> Distribution:
    """The distribution over declared bits from that over measured qubits; bits that are not measured read 0."""
    values = np.asarray(probabilities, dtype=np.float64)
    indices = np.flatnonzero(values > _NOTHING)
    kept = values[indices]
    bits = [1 << clbit for _, clbit in measured]
    outcomes = [sum(bit for number, bit in enumerate(bits) if index >> number & 1) for index in indices.tolist()]
    return Distribution(outcomes, kept / kept.sum())

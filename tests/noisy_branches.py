"""The exact distribution of a circuit with control flow whose gates and measurements have errors.

As `branches.py`, with a density matrix for each set of classical values: plain numpy, without Aer and Ketline.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Operator

from tests.branches import NEGLIGIBLE, Branch, Walker, multiplied, with_bit


class Mixed(Branch):
    """A density matrix: one axis for each qubit of its rows, and then one for each of its columns."""

    @property
    def probability(self) -> float:
        size = 1 << self.state.ndim // 2
        return float(np.trace(self.state.reshape(size, size)).real)


def noisy_distribution(
    circuit: QuantumCircuit, misread: tuple[float, float], depolarized: Mapping[int, float] | None = None
) -> dict[str, float]:
    """The probability of each counts key.

    A 0 reads 1 and a 1 reads 0 with these two probabilities. The operands of gates on one and on two qubits are
    replaced by the maximally mixed state with the probabilities of `depolarized`, by number of qubits.
    """
    state = np.zeros((2,) * 2 * circuit.num_qubits, dtype=complex)
    state[(0,) * state.ndim] = 1
    start = Mixed(state, (False,) * circuit.num_clbits, dict.fromkeys(circuit.iter_vars(), 0))
    return _NoisyWalker(circuit, misread, depolarized or {}).distribution_from(start)


class _NoisyWalker(Walker):
    def __init__(self, circuit: QuantumCircuit, misread: tuple[float, float], depolarized: Mapping[int, float]) -> None:
        super().__init__(circuit)
        self._misread = misread
        self._depolarized = depolarized

    def measured(self, branch: Branch, qubit: int, cell: int) -> Iterator[Branch]:
        for outcome in (0, 1):
            state = _part(branch.state, qubit, outcome)
            wrong = self._misread[outcome]
            yield replace(branch, state=state * (1 - wrong), bits=with_bit(branch.bits, cell, bool(outcome)))
            yield replace(branch, state=state * wrong, bits=with_bit(branch.bits, cell, not outcome))

    def reset(self, branch: Branch, qubit: int) -> Iterator[Branch]:
        for outcome in (0, 1):
            state = _part(branch.state, qubit, outcome)
            axes = (qubit, qubit + state.ndim // 2)
            yield replace(branch, state=np.flip(state, axes) if outcome else state)

    def applied(self, branch: Branch, gate: Any, qubits: Sequence[int]) -> Branch:
        state = _conjugated(branch.state, Operator(gate).data, qubits)
        probability = self._depolarized.get(len(qubits), 0)
        if probability:
            state = (1 - probability) * state + probability * _mixed(state, qubits)
        return replace(branch, state=state)

    def merged(self, branches: Sequence[Branch]) -> list[Branch]:
        """Those with the same classical values are one."""
        found: dict[Any, Branch] = {}
        for branch in branches:
            values = (branch.bits, tuple(branch.variables.values()))
            same = found.get(values)
            found[values] = branch if same is None else replace(same, state=same.state + branch.state)
        return [branch for branch in found.values() if branch.probability > NEGLIGIBLE / 1e4]


def _conjugated(state: Any, matrix: Any, qubits: Sequence[int]) -> Any:
    columns = [qubit + state.ndim // 2 for qubit in qubits]
    return multiplied(multiplied(state, matrix, qubits), matrix.conj(), columns)


def _part(state: Any, qubit: int, outcome: int) -> Any:
    """What is left of a state where a qubit has this value."""
    return _conjugated(state, np.diag([1.0 - outcome, float(outcome)]), [qubit])


def _mixed(state: Any, qubits: Sequence[int]) -> Any:
    """The state with the maximally mixed one on some qubits: the mean over all Pauli operators."""
    for qubit in qubits:
        flipped = np.flip(state, (qubit, qubit + state.ndim // 2))
        dephased = (
            _part(state, qubit, 0) + _part(state, qubit, 1),
            _part(flipped, qubit, 0) + _part(flipped, qubit, 1),
        )
        state = (dephased[0] + dephased[1]) / 2
    return state

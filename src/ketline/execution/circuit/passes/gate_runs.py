"""Multiplies runs of gates on one qubit, which saves passes over a large state.

`lowering.py` and the states in `simulators/states` call it. Before Aer fuses gates it has to be done here, because
Aer's kernel for some products is wrong:
`apply_diagonal_matrix_1` of qiskit-aer 0.18 (`transformer.hpp`) multiplies the wrong amplitude by the factor of
diag(i, 1) and diag(-i, 1), if that factor is exact. Named gates do not reach it, but matrices do: a program's own, or
the product of a run of gates such as Y S Y, which Aer's fusion computes (from 15 qubits on; 8 for a density matrix).
Source: https://github.com/Qiskit/qiskit-aer/issues/2245.
"""

from cmath import phase
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from qiskit.circuit import CircuitInstruction, Qubit
from qiskit.circuit.library import PhaseGate, UnitaryGate

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.unitaries import Matrix
from ketline.execution.circuit.operations import Step

_NON_GATES = frozenset({"measure", "reset"})
_GATES = {gate.name: gate for gate in GATE_TABLE if gate.qubits == 1 and Method.STATEVECTOR in gate.methods}
_QUBIT = Qubit()  # which no circuit has: a step has its qubits by index


def with_runs_multiplied(steps: Sequence[Step]) -> list[Step]:
    """The same operations, up to a global phase, with at most one gate on a qubit between operations on several.

    The steps must have no control flow, and numbers as angles. A diagonal run becomes `p`, any other a `unitary` whose
    first non-zero entry is positive.
    """
    return [run[0] if len(run[0][1]) > 1 or run[0][0] in _NON_GATES else _product(run) for run in runs_of(steps)]


def safe_unitary(matrix: Any) -> Any:
    """A gate for a 2x2 matrix, up to a global phase, that Aer applies correctly."""
    first = matrix[0, 0] or matrix[1, 0]
    return UnitaryGate(matrix * (abs(first) / first), check_input=False)


def phase_over(matrix: Any, other: Any) -> float:
    """The angle of the global phase that a 2x2 matrix has over another, which is the same up to that phase."""
    row, column = (0, 0) if abs(matrix[0, 0]) > abs(matrix[1, 0]) else (1, 0)
    return phase(matrix[row, column] / other[row, column])


def runs_of(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """The same operations in an order that gives the same, each alone but for runs of gates on one qubit.

    Identity gates, which circuits with noise have, are left out.
    """
    runs: dict[int, list[Step]] = {}
    for step in steps:
        name, qubits, _, _, _ = step
        if name == "id":
            continue
        if len(qubits) == 1 and name not in _NON_GATES:
            runs.setdefault(qubits[0], []).append(step)
            continue
        for qubit in qubits:
            if qubit in runs:
                yield runs.pop(qubit)
        yield [step]
    yield from runs.values()


def product_of(run: Sequence[Step]) -> Any:
    """The 2x2 matrix of gates on one qubit, complex128, the first of which is applied first."""
    rows = _matrix_of(run[0])
    for step in run[1:]:
        (a, b), (c, d) = _matrix_of(step)
        (e, f), (g, h) = rows
        rows = ((a * e + b * g, a * f + b * h), (c * e + d * g, c * f + d * h))
    return np.array(rows, dtype=np.complex128)


def _matrix_of(step: Step) -> Matrix:
    name, _, _, parameters, _ = step
    if name == "unitary":
        rows: Matrix = np.asarray(parameters[0]).tolist()
        return rows
    return _GATES[name].matrix(*parameters)


def _product(run: Sequence[Step]) -> Step:
    name, qubits, bits, _, _ = run[0]
    if len(run) == 1 and name != "unitary":
        return run[0]
    matrix = product_of(run)
    if matrix[0, 1] == 0 == matrix[1, 0]:
        gate: Any = PhaseGate(phase(matrix[1, 1] / matrix[0, 0]))
    else:
        gate = safe_unitary(matrix)
    return gate.name, qubits, bits, gate.params, CircuitInstruction(gate, (_QUBIT,))

"""Multiplies runs of gates on one qubit, so that Aer's fusion does not: its kernel for some products is wrong.

`apply_diagonal_matrix_1` of qiskit-aer 0.18 (`transformer.hpp`) multiplies the wrong amplitude by the factor of
diag(i, 1) and diag(-i, 1), if that factor is exact. Named gates do not reach it, but matrices do: a program's own, or
the product of a run of gates such as Y S Y, which Aer's fusion computes (from 15 qubits on; 8 for a density matrix).
Source: https://github.com/Qiskit/qiskit-aer/issues/2245.
"""

from cmath import phase
from collections.abc import Iterator, Sequence
from typing import Any

from qiskit.circuit import CircuitInstruction
from qiskit.circuit.library import PhaseGate, UnitaryGate

from ketline.execution.circuit.operations import Step

_NON_GATES = frozenset({"measure", "reset"})


def with_runs_multiplied(steps: Sequence[Step]) -> list[Step]:
    """The same operations, up to a global phase, with at most one gate on a qubit between operations on several.

    The steps must have no control flow, and numbers as angles. A diagonal run becomes `p`, any other a `unitary` whose
    first non-zero entry is positive.
    """
    return list(_multiplied(steps))


def safe_unitary(matrix: Any) -> Any:
    """A gate for a 2x2 matrix, up to a global phase, that Aer applies correctly."""
    first = matrix[0, 0] or matrix[1, 0]
    return UnitaryGate(matrix * (abs(first) / first), check_input=False)


def _multiplied(steps: Sequence[Step]) -> Iterator[Step]:
    runs: dict[int, list[Step]] = {}
    for step in steps:
        name, qubits, _, _ = step
        if len(qubits) == 1 and name not in _NON_GATES:
            runs.setdefault(qubits[0], []).append(step)
            continue
        for qubit in qubits:
            if qubit in runs:
                yield _product(runs.pop(qubit))
        yield step
    for run in runs.values():
        yield _product(run)


def _product(run: Sequence[Step]) -> Step:
    name, qubits, bits, first = run[0]
    if len(run) == 1 and name != "unitary":
        return run[0]
    matrix = first.operation.to_matrix()
    for _, _, _, instruction in run[1:]:
        matrix = instruction.operation.to_matrix() @ matrix
    if matrix[0, 1] == 0 == matrix[1, 0]:
        gate: Any = PhaseGate(phase(matrix[1, 1] / matrix[0, 0]))
    else:
        gate = safe_unitary(matrix)
    return gate.name, qubits, bits, CircuitInstruction(gate, first.qubits)

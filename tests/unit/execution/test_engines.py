"""Every engine against plain numpy, and the matrices that Aer multiplies wrongly; many more by tests/difference."""

from math import sin
from random import Random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.circuit.operations import steps_of
from ketline.execution.circuit.passes.gate_runs import with_runs_multiplied
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from ketline.execution.simulators.states.aer_state import aer_final_state
from tests.blocks import long_after
from tests.circuits import as_qpy
from tests.difference.engines import CHECKS

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
ANGLE = 5.6969099084072745
# The phase of Y S† Y shows in the basis of X: without it c would be 0 and 1 the other way round.
PHASE = "h q[2]; cz q[2], q[0]; y q[2]; sdg q[2]; y q[2]; cz q[2], q[0]; s q[2]; h q[2]; c = measure q[2]; "
# How many of each kind are checked, and how many of them always.
NUMBERS = {"values": (12, 4), "wide counts": (3, 1), "wide density matrix": (5, 5)}


def run(text: str, shots: int, threads: int = 1, **options: object) -> RunResult:
    executor = Executor(ExecutionLimits(threads=threads, share_threads=threads))
    return executor.run(Request(TaskSpec(circuit=text, shots=shots, options=RunOptions(**options)), ""))  # type: ignore[arg-type]


def cases_of(kind: str) -> list[Any]:
    count, always = NUMBERS.get(kind, (8, 3))
    return long_after(always, [(kind, number) for number in range(count)])


@pytest.mark.parametrize(("kind", "number"), [case for kind in CHECKS for case in cases_of(kind)])
def test_engine_gives_what_numpy_gives(kind: str, number: int) -> None:
    CHECKS[kind](Random(f"gate/{kind}/{number}"))


@pytest.mark.parametrize("qubits", [14, 15, 16, 17])
@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.MATRIX_PRODUCT_STATE])
def test_expectation_value_does_not_depend_on_the_width(qubits: int, method: Method) -> None:
    text = f"{HEAD} qubit[{qubits}] q; rx({ANGLE}) q[2]; cz q[2], q[0]; y q[2]; sdg q[2]; y q[2];"
    label = "Z" * (qubits - 3) + "XZZ"
    result = run(text, 1, method=method, observables=({label: 1.0},))
    # Y S† Y is S up to a phase, and turns the Y component of rx(ANGLE), -sin(ANGLE), into X.
    assert result.expectation_values == pytest.approx([sin(ANGLE)], abs=1e-9)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("qubits", [14, 15, 16])
@pytest.mark.parametrize("shot_by_shot", [False, True], ids=["at the end", "shot by shot"])
def test_counts_do_not_depend_on_the_width(qubits: int, threads: int, shot_by_shot: bool) -> None:
    again = "c = measure q[2]; if (c) { x q[0]; }" if shot_by_shot else ""
    text = f"{HEAD} qubit[{qubits}] q; bit c; bit[{qubits - 3}] d; {PHASE} {again} d = measure q[3:{qubits - 1}];"
    result = run(text, 20, threads, method=Method.STATEVECTOR)
    assert result.counts == {"0" * (qubits - 3) + " 1": 20}


@pytest.mark.parametrize("qubits", [7, 8, 9])
def test_density_matrix_does_not_depend_on_the_width(qubits: int) -> None:
    text = f"{HEAD} qubit[{qubits}] q; bit c; bit[{qubits - 3}] d; {PHASE} d = measure q[3:{qubits - 1}];"
    assert run(text, 20, method=Method.DENSITY_MATRIX).counts == {"0" * (qubits - 3) + " 1": 20}


@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.STATEVECTOR, Method.DENSITY_MATRIX])
@pytest.mark.parametrize("factor", [1j, -1j])
@pytest.mark.parametrize("qubits", [1, 3, 15])
def test_one_qubit_matrix_is_applied_as_it_is(factor: complex, qubits: int, method: Method) -> None:
    """diag(i, 1) after H, then S or its inverse, then H: the outcome is sure."""
    if method is Method.DENSITY_MATRIX and qubits > 3:
        qubits = 8
    circuit = QuantumCircuit(qubits, qubits)
    circuit.h(0)
    circuit.append(UnitaryGate(np.diag([factor, 1])), [0])
    circuit.p(np.angle(factor), 0)
    circuit.h(0)
    circuit.measure(range(qubits), range(qubits))
    result = run(as_qpy(circuit), 50, method=method, format=ProgramFormat.QPY)
    assert result.counts == {"0" * qubits: 50}


def test_one_qubit_matrix_in_a_branch_is_applied_as_it_is() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.x(1)
    circuit.measure(1, 1)
    circuit.h(0)
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.append(UnitaryGate(np.diag([-1j, 1])), [0])
    circuit.sdg(0)
    circuit.h(0)
    circuit.measure(0, 0)
    assert run(as_qpy(circuit), 50, format=ProgramFormat.QPY).counts == {"10": 50}


def test_power_of_a_gate_that_comes_to_such_a_matrix() -> None:
    """X S X is diag(i, 1), and so is its fifth power."""
    text = f"{HEAD} gate g a {{ x a; s a; x a; }} qubit q; bit c; h q; pow(5) @ g q; s q; h q; c = measure q;"
    assert run(text, 50).counts == {"0": 50}


def test_runs_are_multiplied() -> None:
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.y(0)
    circuit.sdg(0)
    circuit.y(0)
    circuit.cx(0, 1)
    circuit.t(1)
    circuit.s(1)
    steps = with_runs_multiplied(steps_of(circuit))
    assert [(name, qubits) for name, qubits, *_ in steps] == [
        ("unitary", [0]),
        ("h", [1]),
        ("cx", [0, 1]),
        ("p", [1]),
    ]
    found = np.asarray(aer_final_state(steps, 2).amplitudes())
    expected = np.array([1, 1j, 1j**1.5, 1j * 1j**1.5]) / 2
    assert abs(np.vdot(expected, found)) == pytest.approx(1, abs=1e-12)

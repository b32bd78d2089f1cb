"""What is said of a program before it is run is what comes to pass when it is."""

from pathlib import Path

import pytest

from ketline.domain.errors import ProgramUnsupported
from ketline.domain.inspection import Inspection
from ketline.domain.spec import Method, RunOptions, TaskSpec
from ketline.domain.task import FailureCode, RunResult
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol import Command, Request
from ketline.execution.simulators.durations import simulating_seconds
from ketline.execution.simulators.methods import SIMULATION_METHODS, choose

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.qasm"))
HEADER = 'include "stdgates.inc";\n'
WIDE = "qubit[30] q; bit[30] c; h q; rz(0.3) q; for int i in [0:28] { cx q[i], q[i + 1]; } c = measure q;"
LAYER = "for int i in [0:38] { rx(0.3) q[i]; cx q[i], q[i+1]; }"
DEEP = f"qubit[40] q; bit[40] c; for int n in [0:39] {{ {LAYER} }} c = measure q;"


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits())


def inspected(executor: Executor, text: str, method: Method = Method.AUTOMATIC, shots: int = 100) -> Inspection:
    request = Request(TaskSpec(circuit=text, shots=shots, options=RunOptions(method=method)), command=Command.INSPECT)
    outcome = executor.respond(request).outcome
    assert isinstance(outcome, Inspection), outcome
    return outcome


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_inspection_agrees_with_the_profile_of_a_run(executor: Executor, path: Path) -> None:
    text = path.read_text()
    inspection = inspected(executor, text)
    result = executor.respond(Request(TaskSpec(circuit=text, shots=100))).outcome
    assert isinstance(result, RunResult)
    profile = result.profile
    assert (inspection.tier, inspection.qubits, inspection.depth) == (profile.tier, profile.qubits, profile.depth)
    assert inspection.operations == profile.operations
    assert (inspection.method, inspection.method_reason) == (profile.method, profile.method_reason)


def test_requested_method_is_inspected(executor: Executor) -> None:
    inspection = inspected(executor, HEADER + "qubit[2] q; bit[2] c; h q; c = measure q;", Method.DENSITY_MATRIX)
    assert (inspection.method, inspection.method_reason) == (Method.DENSITY_MATRIX, "as requested")
    assert inspection.memory_bytes == 16 * 4**2


def test_state_that_does_not_fit_is_refused_with_all_that_is_known(executor: Executor) -> None:
    inspection = inspected(executor, HEADER + DEEP)
    assert inspection.failure is not None
    assert inspection.failure.code is FailureCode.TOO_LARGE
    assert (inspection.qubits, inspection.operations["cx"], inspection.method) == (40, 1560, None)


def test_method_that_cannot_do_it_is_refused(executor: Executor) -> None:
    inspection = inspected(executor, HEADER + WIDE, Method.STIM)
    assert inspection.failure is not None
    assert inspection.failure.code is FailureCode.UNSUPPORTED


def test_program_that_cannot_be_read_is_a_failure(executor: Executor) -> None:
    answer = executor.respond(Request(TaskSpec(circuit="qubit q;", shots=10), command=Command.INSPECT))
    assert isinstance(answer.outcome, ProgramUnsupported)


def test_qubits_that_nothing_depends_on_are_counted_apart(executor: Executor) -> None:
    inspection = inspected(executor, HEADER + "qubit[5] q; bit[2] c; h q; c = measure q[0:1];")
    assert (inspection.qubits, inspection.unused_qubits) == (2, 3)


@pytest.mark.parametrize(
    ("body", "method", "memory"),
    [
        ("qubit[3] q; bit[3] c; rx(0.3) q; c = measure q;", Method.STATEVECTOR, 16 * 2**3),
        ("qubit[20] q; bit[20] c; h q; c = measure q;", Method.STIM, 205),
        (
            "qubit[13] q; bit[13] c; h q; c = measure q; if (c[0]) x q; c = measure q;",
            Method.STABILIZER,
            88,
        ),
    ],
)
def test_memory_is_that_of_the_state(executor: Executor, body: str, method: Method, memory: int) -> None:
    inspection = inspected(executor, HEADER + body)
    assert (inspection.method, inspection.memory_bytes) == (method, memory)


def test_matrix_products_with_narrow_bonds_have_estimates(executor: Executor) -> None:
    inspection = inspected(executor, HEADER + WIDE)
    assert inspection.method is Method.MATRIX_PRODUCT_STATE
    assert inspection.memory_bytes is not None
    assert inspection.memory_bytes < 1 << 20
    assert inspection.estimated_seconds is not None
    assert inspection.estimated_seconds < 1


def test_state_whose_bonds_cannot_be_told_before_is_tried(executor: Executor) -> None:
    ladders = "for int r in [0:14] { for int i in [0:48] { cx q[i], q[i + 1]; } }"
    inspection = inspected(executor, HEADER + f"qubit[50] q; bit[50] c; ry(0.3) q[0]; {ladders} c = measure q;")
    assert inspection.method is Method.MATRIX_PRODUCT_STATE
    assert inspection.method_reason is not None
    assert "cannot be told before" in inspection.method_reason
    assert inspection.memory_bytes is not None
    assert inspection.memory_bytes < 1 << 20
    assert inspection.estimated_seconds is not None
    assert inspection.estimated_seconds < 2


def test_state_that_does_not_fit_and_branches_is_refused(executor: Executor) -> None:
    inspection = inspected(executor, HEADER + DEEP + " if (c[0]) { rx(0.3) q[1]; } c[1] = measure q[1];")
    assert inspection.failure is not None
    assert inspection.failure.code is FailureCode.TOO_LARGE


def test_loops_on_a_condition_have_no_estimate_of_time(executor: Executor) -> None:
    body = "qubit q; bit c; h q; c = measure q; while (c == false) { h q; c = measure q; }"
    assert inspected(executor, HEADER + body).estimated_seconds is None


def simulating(body: str, method: Method, shots: int) -> float:
    limits = ExecutionLimits()
    lowered = load_program(HEADER + body, limits).lowered
    seconds = simulating_seconds(lowered, choose(lowered, shots, method, limits), shots, limits)
    assert seconds is not None
    return seconds


@pytest.mark.parametrize("method", [*SIMULATION_METHODS])
def test_estimate_grows_with_the_program(method: Method) -> None:
    def estimate(qubits: int, repeated: int, shots: int) -> float:
        body = f"qubit[{qubits}] q; bit[{qubits}] c; for int i in [1:{repeated}] {{ h q; }} c = measure q;"
        return simulating(body, method, shots)

    small = estimate(4, 10, 100)
    assert estimate(12, 10, 100) > small
    assert estimate(4, 1000, 100) > small
    assert estimate(4, 10, 100_000) >= small


def test_branches_that_only_aer_evaluates_are_simulated_once_for_each_shot() -> None:
    body = "qubit[13] q; bit[63] c; rx(0.1) q; c[0] = measure q[0]; if (c == 1) rx(0.2) q; c[1] = measure q[1];"
    few, many = (simulating(body, Method.AUTOMATIC, shots) for shots in (10, 10_000))
    assert many > 10 * few


@pytest.mark.parametrize("qubits", [3, 13])
def test_branches_are_simulated_once_for_each_history(qubits: int) -> None:
    body = f"qubit[{qubits}] q; bit c; rx(0.1) q; c = measure q[0]; if (c) rx(0.2) q; c = measure q[1];"
    few, many = (simulating(body, Method.AUTOMATIC, shots) for shots in (100, 10_000))
    assert few < 0.01
    assert many < 2 * few

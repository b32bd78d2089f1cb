"""What is said of a program before it is run is what comes to pass when it is."""

import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.errors import ExecutionFailed, ProgramUnsupported
from ketline.domain.failures import FailureCode
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.sweep import first_point
from ketline.execution.child.executor import Executor
from ketline.execution.child.sweep_inspection import inspect_sweep
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
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


def test_state_that_does_not_fit_is_rejected_with_all_that_is_known(executor: Executor) -> None:
    inspection = inspected(executor, HEADER + DEEP)
    assert inspection.failure is not None
    assert inspection.failure.code is FailureCode.TOO_LARGE
    assert (inspection.qubits, inspection.operations["cx"], inspection.method) == (40, 1560, None)


def test_method_that_cannot_do_it_is_rejected(executor: Executor) -> None:
    inspection = inspected(executor, HEADER + WIDE, Method.STIM)
    assert inspection.failure is not None
    assert inspection.failure.code is FailureCode.UNSUPPORTED


def test_program_that_cannot_be_read_is_a_failure(executor: Executor) -> None:
    response = executor.respond(Request(TaskSpec(circuit="qubit q;", shots=10), command=Command.INSPECT))
    assert isinstance(response.outcome, ProgramUnsupported)


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


def test_state_that_does_not_fit_and_branches_is_rejected(executor: Executor) -> None:
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


SWEPT: dict[str, tuple[str, Inputs, str]] = {
    "index": ("input int k; qubit[3] q; bit[3] c; x q[k]; c = measure q;", {"k": [0, 1, 3, 2]}, "at point 2: "),
    "type": ("input bool b; qubit q; bit c; if (b) { x q; } c = measure q;", {"b": [True, False, 7.5]}, "at point 2: "),
    "width": (
        "input int k; qubit[40] q; bit c; h q; for int i in [0:k] { cx q[i + 1], q[0]; rx(0.3) q[0]; } "
        "c = measure q[0];",
        {"k": [2, 5, 38, 3]},
        "at point 2: ",
    ),
}


@pytest.mark.parametrize("name", SWEPT)
def test_points_of_a_sweep_that_would_fail_are_told(name: str) -> None:
    """The first point of each can run; the task fails at a later one with the same code and message."""
    text, inputs, where = SWEPT[name]
    executor = Executor(ExecutionLimits(memory_bytes=64 << 20))
    spec = TaskSpec(circuit=HEADER + text, shots=10, inputs=inputs, options=RunOptions(method=Method.STATEVECTOR))
    # What is loaded once takes a part of the half second that there is for further points.
    executor.respond(Request(replace(spec, inputs=first_point(inputs)), command=Command.INSPECT))
    inspection = executor.respond(Request(spec, command=Command.INSPECT)).outcome
    assert isinstance(inspection, Inspection)
    failed = executor.respond(Request(spec)).outcome
    assert isinstance(failed, ExecutionFailed)
    assert inspection.failure == failed.failure
    assert inspection.failure.message.startswith(where)
    assert (inspection.method, inspection.estimated_seconds) == (None, None)
    assert inspection.qubits > 0


def test_most_points_of_a_long_sweep_are_estimated(executor: Executor) -> None:
    text = "input float a; qubit q; bit c; rx(a) q; c = measure q;"
    spec = TaskSpec(circuit=HEADER + text, shots=1, inputs={"a": [0.001 * k for k in range(10_000)]})
    started = time.process_time()
    found = executor.respond(Request(spec, command=Command.INSPECT)).outcome
    assert time.process_time() - started < 5
    assert isinstance(found, Inspection)
    assert found.estimated_seconds is not None
    assert found.estimated_seconds > 0.1


@pytest.mark.parametrize("points", [1, 2, 3, 4, 5, 8, 9, 100])
def test_points_are_inspected_once_each(points: int) -> None:
    """The first, the last, and the others from wide gaps to narrow ones."""
    seen: list[float] = []
    spec = TaskSpec(circuit="", shots=1, inputs={"t": [float(number) for number in range(points)]})

    def inspect(request: Request) -> Inspection:
        seen.append(cast("float", request.spec.inputs["t"]))
        return Inspection(tier="scanner", qubits=1, unused_qubits=0, depth=1, operations={}, estimated_seconds=seen[-1])

    found = inspect_sweep(Request(spec), inspect, points)
    assert sorted(seen) == list(range(points))
    assert seen[:2] == [0, points - 1][: len(seen)]
    assert found.estimated_seconds == pytest.approx(sum(seen), rel=0.05)

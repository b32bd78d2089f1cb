"""Which method runs a circuit with noise, what errors attach to, and that seeds replay."""

from typing import Any

import pytest
from qiskit import qasm3
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import MCXGate

from ketline.domain.circuits.method import Method
from ketline.domain.devices.noise import NOISY_METHODS, NOISY_OPERATIONS
from ketline.domain.errors import ExecutionFailed, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.simulators.channels.model import NoiseModels

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
DEPOLARIZING = {"name": "depolarizing", "one_qubit": 0.02, "two_qubit": 0.05}
RELAXATION = {"name": "thermal_relaxation", "t1_us": 50, "t2_us": 40, "one_qubit_ns": 500, "two_qubit_ns": 500}
DAMPING = RELAXATION | {"t2_us": 90}
READOUT = {"name": "readout", "p01": 0.1, "p10": 0.2}


def flip(*names: str, qubits: list[list[int]] | None = None, width: int = 1) -> dict[str, Any]:
    """A model by which X follows each of these operations, on its first qubit."""
    error = {
        "type": "qerror",
        "operations": list(names),
        "instructions": [[{"name": "x", "qubits": [0]}, *({"name": "id", "qubits": [n]} for n in range(1, width))]],
        "probabilities": [1.0],
    }
    return {"model": {"errors": [error | ({"gate_qubits": qubits} if qubits else {})]}}


def ladder(qubits: int, gate: str = "") -> str:
    """Entangles a line of qubits and measures all of them, without a loop."""
    pairs = "".join(f"cx q[{number}], q[{number + 1}]; " for number in range(qubits - 1))
    return f"{HEAD}qubit[{qubits}] q; bit[{qubits}] c; h q[0]; {gate}{pairs}c = measure q;"


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=64 << 20))


def request(
    program: str,
    noise: Any,
    method: Method = Method.AUTOMATIC,
    shots: int = 200,
    inputs: Inputs | None = None,
    command: Command = Command.RUN,
    seed: int = 1,
) -> Request:
    options = RunOptions(seed=seed, method=method, noise=noise)
    return Request(TaskSpec(circuit=program, shots=shots, options=options, inputs=inputs or {}), command=command)


def run(executor: Executor, *arguments: Any, **more: Any) -> RunResult:
    return executor.run(request(*arguments, **more))


@pytest.mark.parametrize(
    ("program", "noise", "shots", "method"),
    [
        (ladder(3), DEPOLARIZING, 1000, Method.STIM),
        (ladder(300), [DEPOLARIZING, READOUT], 1000, Method.STIM),
        (ladder(3, "t q[0]; "), DEPOLARIZING, 1000, Method.DENSITY_MATRIX),
        (ladder(3), DAMPING, 1000, Method.DENSITY_MATRIX),
        (ladder(12, "t q[0]; "), DEPOLARIZING, 5, Method.STATEVECTOR),
        (ladder(16, "t q[0]; "), DEPOLARIZING, 5, Method.STATEVECTOR),
        (ladder(100), RELAXATION, 10, Method.STABILIZER),
    ],
)
def test_method_is_chosen_by_gates_errors_and_cost(
    executor: Executor, program: str, noise: Any, shots: int, method: Method
) -> None:
    profile = run(executor, program, noise, shots=shots).profile
    assert (profile.method, profile.method_reason != "as requested") == (method, True)


@pytest.mark.parametrize("method", [method for method in NOISY_METHODS if method is not Method.AUTOMATIC])
def test_requested_method_is_used(executor: Executor, method: Method) -> None:
    profile = run(executor, ladder(3), DEPOLARIZING, method).profile
    assert (profile.method, profile.method_reason) == (method, "as requested")


@pytest.mark.parametrize(
    ("program", "noise", "method", "words"),
    [
        (ladder(3), DEPOLARIZING, Method.MATRIX_PRODUCT_STATE, "no noise; choose automatic, statevector"),
        (ladder(3), RELAXATION, Method.STIM, "errors of Pauli operators only"),
        (ladder(3), DAMPING, Method.STABILIZER, "errors of Pauli operators and resets only"),
        (ladder(3, "t q[0]; "), DEPOLARIZING, Method.STIM, "has no 't'"),
        (ladder(3, "t q[0]; "), DEPOLARIZING, Method.STABILIZER, "has no 't'"),
    ],
)
def test_method_without_such_gates_or_errors_is_rejected(
    executor: Executor, program: str, noise: Any, method: Method, words: str
) -> None:
    with pytest.raises(ProgramUnsupported, match=words):
        run(executor, program, noise, method)


def test_what_does_not_fit_is_rejected_before_it_runs(executor: Executor) -> None:
    with pytest.raises(ProgramTooLarge, match="40 qubits"):
        run(executor, ladder(40, "t q[0]; "), DEPOLARIZING)
    with pytest.raises(ProgramTooLarge, match="density matrix"):
        run(executor, ladder(20), DEPOLARIZING, Method.DENSITY_MATRIX)


@pytest.mark.parametrize("method", [method for method in NOISY_METHODS if method is not Method.AUTOMATIC])
def test_same_seed_gives_the_same_counts(executor: Executor, method: Method) -> None:
    noise = [DEPOLARIZING, READOUT]
    again = [run(executor, ladder(4), noise, method, seed=seed).counts for seed in (5, 5, 6)]
    assert again[0] == again[1]
    assert again[0] != again[2]


def test_points_of_a_sweep_have_their_own_random_numbers(executor: Executor) -> None:
    program = HEAD + "input float a; qubit q; bit c; rx(a) q; c = measure q;"
    result = run(executor, program, DEPOLARIZING, inputs={"a": [0.5, 0.5, 0.5]})
    assert result.points is not None
    assert len({tuple(point.counts.items()) for point in result.points}) > 1


def only(executor: Executor, body: str, noise: Any, method: Method = Method.AUTOMATIC) -> str:
    """The outcome of a program that has one."""
    (outcome,) = run(executor, f"{HEAD}{body}", noise, method).counts
    return outcome


METHODS = [Method.STIM, Method.DENSITY_MATRIX, Method.STATEVECTOR, Method.STABILIZER]


@pytest.mark.parametrize("method", METHODS)
def test_error_follows_each_gate_of_its_name(executor: Executor, method: Method) -> None:
    """Two gates that undo each other stay, and each has its error; so has `id`."""
    assert only(executor, "qubit q; bit c; h q; h q; h q; h q; c = measure q;", flip("z"), method) == "0"
    assert only(executor, "qubit q; bit c; z q; c = measure q;", flip("z"), method) == "1"
    assert only(executor, "qubit q; bit c; z q; z q; c = measure q;", flip("z"), method) == "0"
    assert only(executor, "qubit q; bit c; id q; c = measure q;", flip("id"), method) == "1"
    # Read by the importer, the scanner and the unroller.
    for body in ("for int i in [0:0] { id q; }", "gate own a { id a; } own q;", "def f(qubit a) { id a; } f(q);"):
        assert only(executor, f"qubit q; bit c; {body} c = measure q;", flip("id"), method) == "1"
    assert only(executor, "qubit q; bit c; barrier q; delay[3ns] q; c = measure q;", flip("id"), method) == "0"


@pytest.mark.parametrize("method", METHODS)
def test_error_belongs_to_the_declared_qubit(executor: Executor, method: Method) -> None:
    """Qubits on which nothing depends are left out, and the others keep their numbers for the model."""
    body = "qubit[9] q; bit[2] c; x q[0]; z q[4]; z q[7]; c[0] = measure q[4]; c[1] = measure q[7];"
    assert only(executor, body, flip("z", qubits=[[7]]), method) == "10"
    assert only(executor, body, flip("z", qubits=[[0], [4]]), method) == "01"
    pair = "qubit[9] q; bit[2] c; cz q[7], q[4]; c[0] = measure q[4]; c[1] = measure q[7];"
    assert only(executor, pair, flip("cz", qubits=[[7, 4]], width=2), method) == "10"
    assert only(executor, pair, flip("cz", qubits=[[4, 7]], width=2), method) == "00"


@pytest.mark.parametrize("method", METHODS)
def test_errors_of_reset_and_measure(executor: Executor, method: Method) -> None:
    assert only(executor, "qubit q; bit c; reset q; c = measure q;", flip("reset"), method) == "1"
    assert only(executor, "qubit q; bit c; reset q; c = measure q;", flip("x"), method) == "0"
    assert only(executor, "qubit q; bit c; c = measure q;", flip("measure"), method) == "1"


def test_other_gates_become_those_with_errors(executor: Executor) -> None:
    """Gates that not all methods apply natively, on three qubits, or that the program defines."""
    inspected = executor.inspect(
        request(
            HEAD + "gate own a, b { cx a, b; } qubit[3] q; bit[3] c; "
            "crx(0.3) q[0], q[1]; ccx q[0], q[1], q[2]; own q[0], q[1]; own q[0], q[1]; own q[0], q[1]; "
            "own q[0], q[1]; ch q[0], q[1]; ctrl @ ctrl @ z q[0], q[1], q[2]; c = measure q;",
            DEPOLARIZING,
            command=Command.INSPECT,
        )
    )
    assert set(inspected.operations) <= NOISY_OPERATIONS.keys()
    assert inspected.operations["cx"] > 4


def operations(executor: Executor, program: str, noise: Any) -> Any:
    return executor.inspect(request(program, noise, command=Command.INSPECT)).operations


def test_definitions_are_not_recognised(executor: Executor) -> None:
    """A definition of many gates, called often, becomes one gate only without noise."""
    circuit = QuantumCircuit(6, 6)
    for _ in range(5):
        circuit.append(MCXGate(5), range(6))
    circuit.measure(range(6), range(6))
    program = qasm3.dumps(circuit)
    assert "mcx" in operations(executor, program, None)
    noisy = operations(executor, program, DEPOLARIZING)
    assert "mcx" not in noisy
    assert noisy["cx"] > 50


def test_validation_estimates(executor: Executor) -> None:
    few, many = (
        executor.inspect(request(ladder(10, "t q[0]; "), DEPOLARIZING, shots=shots, command=Command.INSPECT))
        for shots in (1, 10_000)
    )
    assert isinstance(few, Inspection)
    assert (few.method, many.method) == (Method.STATEVECTOR, Method.DENSITY_MATRIX)
    assert (few.memory_bytes, many.memory_bytes) == (16 << 10, 16 << 20)
    assert 0 < (few.estimated_seconds or 0) < (many.estimated_seconds or 0)
    rejected = executor.inspect(request(ladder(3), DEPOLARIZING, Method.MATRIX_PRODUCT_STATE, command=Command.INSPECT))
    assert rejected.failure is not None
    assert rejected.failure.code == "unsupported"


def test_models_are_kept_by_content_and_bounded() -> None:
    models = NoiseModels()
    first = models.get({"name": "depolarizing", "one_qubit": 0.1, "two_qubit": 0.2})
    assert models.get({"two_qubit": 0.2, "one_qubit": 0.1, "name": "depolarizing"}) is first
    assert models.get({"name": "depolarizing", "one_qubit": 0.1, "two_qubit": 0.2}, "other") is not first
    for number in range(8):
        models.get({"name": "depolarizing", "one_qubit": 0.01 * number})
    assert models.get({"name": "depolarizing", "one_qubit": 0.1, "two_qubit": 0.2}) is not first


def test_a_wide_clifford_circuit_is_quick(executor: Executor) -> None:
    result = run(executor, ladder(2000), [DEPOLARIZING, READOUT], shots=100)
    assert sum(result.counts.values()) == 100
    assert result.profile.method == Method.STIM


def test_failures_are_those_of_the_family(executor: Executor) -> None:
    outcome = executor.respond(request(ladder(3), {"model": {"errors": [{"type": "qerror"}]}})).outcome
    assert isinstance(outcome, ExecutionFailed)
    assert outcome.code == "noise_invalid"

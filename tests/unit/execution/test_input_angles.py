"""Flat programs whose gates have angles that depend on inputs: values are put in without reading the text again."""

from random import Random

import pytest
from qiskit import qasm3
from qiskit.quantum_info import Statevector

from ketline.domain.circuits.method import Method
from ketline.domain.errors import InputMissing, ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import load_program, program_reader
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after
from tests.difference.inputs import check_inputs
from tests.reference import assert_counts_match

LIMITS = ExecutionLimits()
SHOTS = 2000
ANSATZ = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] alpha;
input float beta;
gate turn(t, u) a, b { rx(t / 2 + u) a; gphase(t); crz(sin(u)) a, b; }
gate twice(t) a, b { turn(t, t) a, b; turn(-t, 1) b, a; }
qubit[3] q;
bit[3] c;
ry(alpha) q;
twice(2 * beta - alpha / 3) q[0], q[1];
h q[1];
cp(pi / 4) q[1], q[2];
rx(pow(beta, 2)) q[2];
turn(0.25, beta) q[2], q[0];
h q;
"""
MEASURED = ANSATZ + "c = measure q;"
VALUES: list[dict[str, float]] = [{"alpha": 0.4, "beta": -1.1}, {"alpha": 3, "beta": 2.5}, {"alpha": 0.0, "beta": 0}]


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(LIMITS)


def reference(values: dict[str, float]) -> dict[str, float]:
    """The distribution by Qiskit's importer, parameters and statevector."""
    circuit = qasm3.loads(ANSATZ.replace("pow(beta, 2)", "beta * beta").replace("sin(u)", "u * 0.5"))
    assigned = circuit.assign_parameters({one: values[one.name] for one in circuit.parameters})
    return {
        str(key): float(value) for key, value in Statevector(assigned).probabilities_dict().items() if value > 1e-12
    }


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.MATRIX_PRODUCT_STATE, Method.DENSITY_MATRIX])
def test_counts_are_those_of_qiskit_with_assigned_parameters(
    simulator: Simulator, values: dict[str, float], method: Method
) -> None:
    text = MEASURED.replace("pow(beta, 2)", "beta * beta").replace("sin(u)", "u * 0.5")
    program = program_reader(text, LIMITS)(values)
    assert program.front_end == "scanner"
    counts = simulator.run(program, SHOTS, RunOptions(method=method)).counts
    assert_counts_match(counts, reference(values), SHOTS)


def test_one_reader_serves_many_points(simulator: Simulator) -> None:
    read = program_reader(MEASURED, LIMITS)
    for values in [*VALUES, *VALUES]:
        alone = load_program(MEASURED, LIMITS, values)
        runs = [simulator.run(one, SHOTS, RunOptions(seed=5)).counts for one in (read(values), alone)]
        assert runs[0] == runs[1]


@pytest.mark.parametrize("number", long_after(40, range(400)))
def test_angles_and_counts_are_those_of_the_unroller(simulator: Simulator, number: int) -> None:
    check_inputs(Random(f"inputs/{number}"), simulator)


@pytest.mark.parametrize("value", [0.0, 2.0])
def test_angle_of_a_gate_that_is_left_out_must_be_valid(value: float) -> None:
    text = 'include "stdgates.inc"; input float a; qubit[2] q; bit c; rx(a) q[0]; rx(1 / a) q[1]; c = measure q[0];'
    if value:
        assert load_program(text, LIMITS, {"a": value}).front_end == "scanner"
        return
    with pytest.raises(ProgramInvalid, match="division by zero"):
        load_program(text, LIMITS, {"a": value})


FLAT = 'include "stdgates.inc"; input float a; input angle b; qubit q; bit c; '
READ_BY = {
    "an angle alone": (FLAT + "rx(b) q; c = measure q;", "scanner"),
    "an angle beside others": (FLAT + "U(a + 1, b, pi/2) q; c = measure q;", "scanner"),
    "an angle in arithmetic": (FLAT + "rx(b / 2) q; c = measure q;", "unroller"),
    "an integer": (FLAT.replace("float a", "int a") + "c = measure q;", "unroller"),
    "a float of another width": (FLAT.replace("float a", "float[32] a") + "c = measure q;", "unroller"),
    "a branch": (FLAT + "rx(a) q; c = measure q; if (c) x q;", "unroller"),
    "a modifier": (FLAT + "inv @ rx(a) q; c = measure q;", "unroller"),
    "a bit measured twice": (FLAT + "rx(a) q; c = measure q; c = measure q;", "unroller"),
    "an index": (FLAT.replace("float a", "int a") + "qubit[3] r; x r[a]; c = measure q;", "unroller"),
    "an input after its use": (
        'include "stdgates.inc"; qubit q; bit c; input float a; rx(a) q; input angle b; c = measure q;',
        "scanner",
    ),
    "a physical qubit": (
        'include "stdgates.inc"; input float a; input float b; bit c; rx(a) $1; c = measure $1;',
        "scanner",
    ),
}


@pytest.mark.parametrize(("text", "front_end"), READ_BY.values(), ids=READ_BY.keys())
def test_front_end(text: str, front_end: str) -> None:
    assert load_program(text, LIMITS, {"a": 1, "b": 2}).front_end == front_end


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        ({"a": 1.0}, InputMissing, "'b'"),
        ({"a": 1.0, "b": 2.0, "z": 3.0}, ProgramInvalid, "the program has no input 'z'"),
        ({"a": True, "b": 2.0}, ProgramInvalid, "input 'a' must be a value of type 'float'"),
        ({"a": "01", "b": 2.0}, ProgramInvalid, "input 'a' must be a value of type 'float'"),
        ({"a": 0, "b": 2.0}, ProgramInvalid, "."),
    ],
)
def test_values_that_are_not_valid_get_the_errors_of_the_unroller(
    inputs: Inputs, error: type[Exception], words: str
) -> None:
    read = program_reader(FLAT + "rx(1 / a) q; rx(b) q; c = measure q;", LIMITS)
    with pytest.raises(error, match=words):
        read(inputs)  # type: ignore[arg-type]
    assert read({"a": 1.0, "b": 2.0}).front_end == "scanner"


def test_nothing_measured() -> None:
    with pytest.raises(ProgramUnsupported, match="nothing is measured"):
        load_program(FLAT + "rx(a) q;", LIMITS, {"a": 1.0, "b": 2.0})


def test_too_many_operations_are_rejected_before_parsing() -> None:
    text = FLAT + "rx(a) q; " * 5 + "c = measure q;"
    with pytest.raises(ProgramTooLarge, match="more than 5 operations"):
        load_program(text, ExecutionLimits(max_operations=5), {"a": 1.0, "b": 2.0})

"""Values of inputs, each of the type that the program declares."""

import pytest
from qiskit.circuit import QuantumCircuit

from ketline.domain.errors import ExecutionFailed, ProgramInvalid
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.qpy import bind_inputs
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request, decode_request, encode_request
from ketline.execution.protocol.responses import decode_response, encode_response

INCLUDE = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
TWO = "qubit[2] q; bit[2] c; rx(pi * a[0]) q[0]; rx(pi * a[1]) q[1]; c = measure q;"
FOUR = (
    "qubit[4] q; bit[4] c; for int i in [0:1] { for int j in [0:1] { rx(pi * a[i, j]) q[2 * i + j]; } } c = measure q;"
)


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits())


def outcome(executor: Executor, program: str, inputs: Inputs) -> object:
    sent = decode_request(encode_request(Request(TaskSpec(circuit=INCLUDE + program, shots=20, inputs=inputs))))
    return decode_response(encode_response(executor.respond(sent), sent), sent).outcome


@pytest.mark.parametrize(
    ("program", "inputs", "key"),
    [
        (f"input array[float, 2] a;\n{TWO}", {"a": {"array": [0.0, 1]}}, "10"),
        (f"input array[int[8], 2] a;\n{TWO}", {"a": {"array": [-1, 2]}}, "01"),
        (f"input array[bool, 2] a;\n{TWO}", {"a": {"array": [True, False]}}, "01"),
        (f"input array[uint, 2, 2] a;\n{FOUR}", {"a": {"array": [[1, 0], [0, 1]]}}, "1001"),
        (
            "input array[angle[32], 2] a; qubit[2] q; bit[2] c; rx(a[0]) q[0]; rx(a[1]) q[1]; c = measure q;",
            {"a": {"array": [3.141592653589793, 0]}},
            "01",
        ),
        (
            "input array[bit[2], 2] a; qubit[2] q; bit[2] c; if (a[0] == 2) x q[0]; if (a[1][0]) x q[1]; "
            "c = measure q;",
            {"a": {"array": ["10", 1]}},
            "11",
        ),
        ("input bit[4] a; qubit[2] q; bit[2] c; if (a[2]) x q[0]; if (a == 5) x q[1]; c = measure q;", {"a": 5}, "11"),
        (
            "input bit[4] a; qubit[2] q; bit[2] c; if (a[2]) x q[0]; if (a == 5) x q[1]; c = measure q;",
            {"a": "0101"},
            "11",
        ),
    ],
)
def test_value_arrives(executor: Executor, program: str, inputs: Inputs, key: str) -> None:
    found = outcome(executor, program, inputs)
    assert getattr(found, "counts", found) == {key: 20}


def test_arrays_are_swept(executor: Executor) -> None:
    arrays: Inputs = {"a": [{"array": [0, 0]}, {"array": [0, 1]}, {"array": [1, 1]}]}
    found = outcome(executor, f"input array[int, 2] a;\n{TWO}", arrays)
    points = getattr(found, "points", None)
    assert points is not None, found
    assert [dict(point.counts) for point in points] == [{"00": 20}, {"10": 20}, {"11": 20}]


ARRAY = f"input array[float, 2] a;\n{TWO}"


@pytest.mark.parametrize(
    ("program", "inputs", "words"),
    [
        (ARRAY, {"a": 1.0}, """must be a value of type 'array[float, 2]': give it as in {"a": {"array": […]}}"""),
        (ARRAY, {"a": [0.0, 1.0]}, "at point 0: input 'a' must be a value of type 'array[float, 2]': give it as in"),
        (ARRAY, {"a": {"array": [1.0]}}, "input 'a' needs 2 elements where it is of type 'array[float, 2]', not 1"),
        (ARRAY, {"a": {"array": [1.0, "01"]}}, "element 1 of input 'a' must be a value of type 'float'"),
        (ARRAY, {"a": {"array": [1.0, [2.0]]}}, "element 1 of input 'a' must be a value of type 'float'"),
        (
            f"input array[uint, 2, 2] a;\n{FOUR}",
            {"a": {"array": [[1, 2], 3]}},
            "needs 2 elements where it is of type 'array[uint, 2]', not 0",
        ),
        (ARRAY, {}, """input 'a' of type 'array[float, 2]' has no value"""),
        ("input float a; qubit q; bit c; rx(a) q; c = measure q;", {"a": {"array": [1.0]}}, "of type 'float'"),
        ("input bit[2] a; qubit q; bit c; c = measure q;", {"a": 4}, "must be a value of type 'bit[2]'"),
        ("input bit[2] a; qubit q; bit c; c = measure q;", {"a": -1}, "must be a value of type 'bit[2]'"),
        ("input bit[1] a; qubit q; bit c; c = measure q;", {"a": True}, "must be a value of type 'bit[1]'"),
        ("input bit[2] a; qubit q; bit c; c = measure q;", {"a": "011"}, "3 bits do not fit into 'bit[2]'"),
    ],
)
def test_other_values_are_rejected(executor: Executor, program: str, inputs: Inputs, words: str) -> None:
    found = outcome(executor, program, inputs)
    assert isinstance(found, ExecutionFailed), found
    assert words in found.message
    assert found.failure.line == 3


def test_circuit_in_qpy_takes_no_array(executor: Executor) -> None:
    with pytest.raises(ProgramInvalid, match="takes a number"):
        bind_inputs(QuantumCircuit(1), frozenset({"a"}), {"a": {"array": [1.0]}})

"""Outputs at named places of a program, compared with AerSimulator's `save_*` instructions at the same places."""

import random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator, Statevector
from qiskit_aer import AerSimulator

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import OutputsInvalid, ProgramInvalid
from ketline.domain.results.outputs import OutputType, RequestedOutput
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from tests.blocks import long_after
from tests.outputs import COUNTS, HEAD, close, found_of, only, outcome, result

LIMITS = ExecutionLimits(memory_bytes=64 << 20, max_result_bytes=1 << 20)
STATE, UNITARY = OutputType.STATEVECTOR, OutputType.UNITARY


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def at(place: str | None, kind: OutputType = STATE, *qubits: int) -> RequestedOutput:
    return RequestedOutput(kind, f"{kind}-{place}", qubits or None, at=place)


@pytest.mark.parametrize("seed", long_after(8, range(16)))
def test_states_at_places_are_those_of_aer(executor: Executor, seed: int) -> None:
    """Aer counts the phase of the whole circuit at each place."""
    draw = random.Random(seed)
    qubits = draw.randint(1, 5)
    circuit = QuantumCircuit(qubits, global_phase=draw.uniform(-3, 3))
    for number in range(3):
        circuit.compose(random_circuit(qubits, 3, seed=10 * seed + number), inplace=True)
        circuit.save_statevector(label=f"s{number}")
    reference = AerSimulator(method="statevector", fusion_enable=False, max_parallel_threads=1)
    expected = reference.run(circuit.decompose(reps=4)).result()
    prefixes = [circuit.copy_empty_like() for _ in range(3)]
    seen = 0
    for instruction in circuit.data:
        if instruction.name == "save_statevector":
            seen += 1
            continue
        for prefix in prefixes[seen:]:
            prefix.append(instruction)
    outputs = [at(f"s{number}") for number in (2, 0, 1)]
    found = found_of(result(executor, circuit, *outputs))
    for number in range(3):
        assert close(found[f"statevector-s{number}"], Statevector(prefixes[number]).data)
        if expected.success:
            overlap = np.vdot(found[f"statevector-s{number}"], np.asarray(expected.data()[f"s{number}"]))
            assert abs(abs(overlap) - 1) < 1e-10


def test_unitary_until_a_place(executor: Executor) -> None:
    circuit = QuantumCircuit(2, global_phase=0.4)
    circuit.h(0)
    circuit.save_unitary(label="half")
    prefix = circuit.copy_empty_like()
    prefix.h(0)
    circuit.cx(0, 1)
    found = found_of(result(executor, circuit, at("half", UNITARY), at(None, UNITARY)))
    assert close(found["unitary-half"], Operator(prefix).data)
    prefix.cx(0, 1)
    assert close(found["unitary-None"], Operator(prefix).data)


@pytest.mark.parametrize("inputs", [None, {"a": 0.7}])
def test_pragma_names_a_place(executor: Executor, inputs: Any) -> None:
    """By the importer, and by the unroller; the phase is that of the statements before."""
    angle = "0.7" if inputs is None else "a"
    text = (
        f"{'' if inputs is None else 'input float a;'} qubit[2] q; bit[2] c; gphase(0.3); ry({angle}) q[0];\n"
        "#pragma ketline save first\n gphase(0.5); cx q[0], q[1];\npragma   ketline  save second_2\n"
        "x q; c = measure q;"
    )
    first = np.exp(0.3j) * np.array([np.cos(0.35), np.sin(0.35), 0, 0])
    second = np.exp(0.8j) * np.array([np.cos(0.35), 0, 0, np.sin(0.35)])
    end = second[::-1]
    for place, expected in (("first", first), ("second_2", second), (None, end)):
        assert close(only(executor, text, at(place), inputs=inputs), expected)
    assert result(executor, text, COUNTS, at("first"), inputs=inputs, seed=1).counts
    plain = result(executor, text, inputs=inputs, seed=1)
    assert plain.counts == result(executor, text, COUNTS, at("first"), inputs=inputs, seed=1).counts
    assert not plain.profile.warnings
    assert "ketline_place" not in plain.profile.operations


def test_places_at_each_point_of_a_sweep(executor: Executor) -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(1, global_phase=theta)
    circuit.ry(theta, 0)
    circuit.save_statevector(label="here")
    circuit.x(0)
    found = result(executor, circuit, at("here"), inputs={"theta": [0.3, 1.2]}).points
    assert found is not None
    for angle, point in zip((0.3, 1.2), found, strict=True):
        assert point.outputs is not None
        expected = np.exp(1j * angle) * np.array([np.cos(angle / 2), np.sin(angle / 2)])
        values = np.array(point.outputs["statevector-here"].values) @ [1, 1j]
        assert close(values, expected)


def test_only_the_qubits_of_an_output_at_a_place_are_simulated(executor: Executor) -> None:
    text = "qubit[60] q; h q[3];\n#pragma ketline save a\ncx q[3], q[59]; x q[7];"
    found = result(executor, text, at("a", OutputType.PROBABILITIES, 3, 59), at(None, OutputType.PROBABILITIES, 7))
    assert found.profile.qubits == 3
    assert close(found_of(found)["probabilities-a"], [0.5, 0.5, 0, 0])
    assert close(found_of(found)["probabilities-None"], [0, 1])


def test_state_after_a_measurement_at_a_place_is_averaged(executor: Executor) -> None:
    text = "qubit q; bit c; h q; c = measure q;\n#pragma ketline save a\n"
    found = found_of(result(executor, text, at("a", OutputType.DENSITY_MATRIX), at(None, OutputType.DENSITY_MATRIX)))
    assert close(found["density_matrix-a"], np.eye(2) / 2)
    # That at the end is before the measurement; but the place is behind it, so it is none at the end.
    assert close(found["density_matrix-None"], np.eye(2) / 2)
    rejected = outcome(executor, text, at("a"))
    assert isinstance(rejected, OutputsInvalid)
    assert "density_matrix" in rejected.message


def test_single_states_before_all_outcomes(executor: Executor) -> None:
    """A program that measures later has a state and a unitary there; at its end it has neither."""
    text = (
        "qubit[2] q; bit c; gphase(0.4); ry(0.6) q[0];\n#pragma ketline save a\nh q[1]; c = measure q[0];\n"
        "#pragma ketline save b\nif (c) { x q[1]; }"
    )
    circuit = QuantumCircuit(2, global_phase=0.4)
    circuit.ry(0.6, 0)
    mixed = RequestedOutput(OutputType.PROBABILITIES, "p")
    found = found_of(result(executor, text, at("a"), at("a", UNITARY), at("a", OutputType.DENSITY_MATRIX), mixed))
    state = Statevector(circuit).data
    assert close(found["statevector-a"], state)
    assert close(found["unitary-a"], Operator(circuit).data)
    assert close(found["density_matrix-a"], np.outer(state, state.conj()))
    assert close(found["p"], np.kron([0.5, 0.5], [np.cos(0.3) ** 2, np.sin(0.3) ** 2]))
    alone = result(executor, text, at("a"))
    assert close(found_of(alone)["statevector-a"], state)
    assert alone.profile.method == "statevector"
    for place, words in (("b", "measures before 'b'"), (None, "has 'if_else'")):
        rejected = outcome(executor, text, at("a"), at(place, UNITARY))
        assert isinstance(rejected, OutputsInvalid)
        assert words in rejected.message


PLACED = "qubit q;\n#pragma ketline save a\nx q;\n#pragma ketline save b\n"


@pytest.mark.parametrize(
    ("text", "place", "kind", "line", "words"),
    [
        (PLACED, "c", OutputsInvalid, None, "no place of this name: it has a, b"),
        ("qubit q; x q;", "c", OutputsInvalid, None, "write '#pragma ketline save NAME' there"),
        (PLACED + "#pragma ketline save a\n", "a", OutputsInvalid, None, "two places are named 'a'"),
        ("qubit q;\n#pragma ketline keep a\n", "a", ProgramInvalid, 2, "'#pragma ketline save NAME' names a place"),
        ("qubit q;\n#pragma ketline save 2a\n", "a", ProgramInvalid, 2, "not a digit first"),
        ("qubit q;\n#pragma ketline save\n", "a", ProgramInvalid, 2, "not known"),
        ("qubit q;\nfor int i in [0:1] {\n#pragma ketline save a\n}", "a", ProgramInvalid, 3, "global"),
        ("qubit q; bit c;\nif (c) {\n#pragma ketline save a\n}", "a", ProgramInvalid, 3, "global"),
        ("gate g t {\n#pragma ketline save a\n}\nqubit q;", "a", ProgramInvalid, None, ""),
        ("def f(qubit t) {\n#pragma ketline save a\n}\nqubit q;", "a", ProgramInvalid, None, ""),
        (
            "qubit[2] q; bit c; h q[0]; c = measure q[0]; if (c) { end; }\n#pragma ketline save a\nx q[1];",
            "a",
            OutputsInvalid,
            2,
            "after a conditional 'end'",
        ),
    ],
)
def test_places_that_are_rejected(
    executor: Executor, text: str, place: str, kind: Any, line: int | None, words: str
) -> None:
    found = outcome(executor, text, at(place, OutputType.PROBABILITIES))
    assert type(found) is kind, found
    assert words in found.message
    if line is not None:
        assert found.line == line + HEAD.count("\n")


def test_saving_in_a_block_is_rejected(executor: Executor) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.save_statevector(label="a")
    found = outcome(executor, circuit, at("a"))
    assert isinstance(found, OutputsInvalid)
    assert "'save_statevector' is inside of 'if_else'" in found.message


def test_drawings_and_conversions_leave_places_out(executor: Executor) -> None:
    text = HEAD + "qubit q; bit c;\n#pragma ketline save a\nx q; c = measure q;"
    spec = TaskSpec(circuit=text, shots=1, options=RunOptions())
    drawn = executor.respond(Request(spec, "t", command=Command.DRAW)).outcome
    plain = TaskSpec(circuit=text.replace("#pragma ketline save a", ""), shots=1, options=RunOptions())
    assert drawn == executor.respond(Request(plain, "t", command=Command.DRAW)).outcome


def test_counts_of_a_circuit_that_saves_are_those_without(executor: Executor) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.save_statevector()
    circuit.cx(0, 1)
    circuit.save_expectation_value(Operator(np.diag([1, -1])), [0])
    circuit.measure([0, 1], [0, 1])
    plain = circuit.copy_empty_like()
    for instruction in circuit.data:
        if not instruction.name.startswith("save_"):
            plain.append(instruction)
    counts = result(executor, circuit, seed=3).counts
    assert counts == result(executor, plain, seed=3).counts
    assert result(executor, circuit, COUNTS, seed=3).counts == counts


def test_openqasm_2_has_no_places(executor: Executor) -> None:
    text = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; x q[0];'
    options = RunOptions(outputs=(at("a"),), format=ProgramFormat.OPENQASM2)
    found = executor.respond(Request(TaskSpec(circuit=text, shots=1, options=options), "t")).outcome
    assert isinstance(found, OutputsInvalid)

"""Outputs of the final state, compared with Qiskit's own classes."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from qiskit import qasm3, transpile
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import PhaseGate, UnitaryGate
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import (
    DensityMatrix,
    Operator,
    SparsePauliOp,
    Statevector,
    entropy,
    partial_trace,
    random_unitary,
)
from qiskit_aer import AerSimulator

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ExecutionFailed, OutputsInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.outputs import OutputType, RequestedOutput
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.checked_outputs import checked_outputs
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from tests.blocks import long_after
from tests.circuits import terms_of
from tests.outputs import COUNTS, HEAD, array, close, only, outcome, result

LIMITS = ExecutionLimits(memory_bytes=64 << 20, max_result_bytes=1 << 20)


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def of(kind: OutputType, *qubits: int) -> RequestedOutput:
    return RequestedOutput(kind, kind.value, qubits or None)


LETTERS = RequestedOutput(OutputType.EXPECTATION_VALUES, "v", observables=({"ZZ": 1.0},))
STATE, UNITARY = of(OutputType.STATEVECTOR), of(OutputType.UNITARY)


def circuits(count: int) -> Sequence[QuantumCircuit]:
    """Random circuits, some with a global phase, nested definitions, and gates given by a matrix."""
    made = []
    for seed in range(count):
        draw = random.Random(seed)
        circuit = random_circuit(draw.randint(1, 6), draw.randint(1, 8), seed=seed)
        if seed % 2:
            circuit.global_phase += draw.uniform(-3, 3)
        if seed % 3 == 0:
            inner = QuantumCircuit(1, global_phase=draw.uniform(-3, 3))
            inner.append(UnitaryGate(random_unitary(2, seed=seed)), [0])
            circuit.append(inner.to_gate(label="own"), [draw.randrange(circuit.num_qubits)])
        made.append(circuit)
    return made


@pytest.mark.parametrize("number", long_after(10, range(30)))
def test_statevector_is_that_of_qiskit(executor: Executor, number: int) -> None:
    circuit = circuits(number + 1)[number]
    assert close(only(executor, circuit, STATE), Statevector(circuit).data)


@pytest.mark.parametrize("number", range(12))
def test_unitary_is_that_of_qiskit(executor: Executor, number: int) -> None:
    circuit = circuits(number + 1)[number]
    assert close(only(executor, circuit, UNITARY), Operator(circuit).data)


@pytest.mark.parametrize("number", long_after(10, range(30)))
def test_values_of_some_qubits_are_those_of_qiskit(executor: Executor, number: int) -> None:
    draw = random.Random(number)
    circuit = random_circuit(5, 6, seed=number)
    qubits = draw.sample(range(5), draw.randint(1, 4))
    others = [qubit for qubit in range(5) if qubit not in qubits]
    state, reduced = Statevector(circuit), partial_trace(Statevector(circuit), others)
    asked = [of(kind, *qubits) for kind in (OutputType.PROBABILITIES, OutputType.DENSITY_MATRIX, OutputType.ENTROPY)]
    outputs = result(executor, circuit, *asked).outputs
    assert outputs is not None
    found = {kind: array(output) for kind, output in outputs.items()}
    assert [list(output.qubits) for output in outputs.values()] == [qubits] * 3
    assert close(found["probabilities"], state.probabilities(qubits))
    # `partial_trace` has the qubits in ascending order.
    order = [sorted(qubits).index(qubit) for qubit in qubits]
    assert close(found["density_matrix"], permuted(reduced, order))
    assert close(found["entropy"], entropy(reduced, base=2))


@pytest.mark.parametrize("number", long_after(8, range(24)))
def test_expectation_values_are_those_of_qiskit_and_aer(executor: Executor, number: int) -> None:
    """Of all qubits and of some in another order, with variances; both references name letters as Qiskit does."""
    draw = random.Random(number)
    width = draw.randint(1, 6)
    circuit = random_circuit(width, 6, seed=number)
    qubits = draw.sample(range(width), draw.randint(1, width))
    labels = list({"".join(draw.choices("IXYZ", k=len(qubits))) for _ in range(6)})
    operator = SparsePauliOp(labels, [draw.uniform(-2, 2) for _ in labels])
    other = SparsePauliOp("".join(draw.choices("IXYZ", k=width)), 1.5)
    some = RequestedOutput(
        OutputType.EXPECTATION_VALUES, "some", tuple(qubits), observables=(terms_of(operator),), variance=True
    )
    whole = RequestedOutput(OutputType.EXPECTATION_VALUES, "whole", observables=(terms_of(other), terms_of(-2 * other)))
    outputs = result(executor, circuit, some, whole).outputs
    assert outputs is not None
    state = Statevector(circuit)
    mean = state.expectation_value(operator, qubits).real
    square = state.expectation_value((operator @ operator).simplify(), qubits).real
    assert close(array(outputs["some"]), [[mean, square - mean**2]])
    value = state.expectation_value(other).real
    assert close(array(outputs["whole"]), [value, -2 * value])
    saving = transpile(circuit, basis_gates=["u", "cx"], optimization_level=0)
    saving.save_expectation_value_variance(operator, qubits)
    run = AerSimulator(method="statevector", fusion_enable=False, max_parallel_threads=1).run(saving).result()
    assert close(array(outputs["some"])[0], run.data()["expectation_value_variance"])


def test_expectation_values_of_a_wide_program_need_the_qubits_of_its_operators(executor: Executor) -> None:
    text = "qubit[60] q; h q; cx q[30], q[31]; ry(0.4) q[7];"
    label = "I" * 52 + "Z" + "I" * 7
    values = RequestedOutput(OutputType.EXPECTATION_VALUES, "v", observables=({label: 2.0, "I" * 60: 0.5},))
    found = result(executor, text, values)
    assert found.outputs is not None
    assert close(array(found.outputs["v"]), [0.5 - 2 * np.sin(0.4)])
    assert found.profile.qubits == 1


def test_eigenstate_has_no_variance(executor: Executor) -> None:
    values = RequestedOutput(
        OutputType.EXPECTATION_VALUES, "v", observables=({"ZZ": 1.0}, {"XX": 0.1, "YY": -0.7}), variance=True
    )
    found = only(executor, "qubit[2] q; h q[0]; cx q[0], q[1];", values)
    assert close(found, [[1, 0], [0.8, 0]])
    assert (found[:, 1] >= 0).all()


def permuted(matrix: DensityMatrix, order: Sequence[int]) -> Any:
    """A density matrix whose qubit j is qubit order[j] of this one, by its definition."""
    size = 1 << len(order)
    at = [sum(((index >> new) & 1) << old for new, old in enumerate(order)) for index in range(size)]
    return matrix.data[np.ix_(at, at)]


@pytest.mark.parametrize("number", long_after(8, range(20)))
def test_text_has_the_phases_of_its_gates(executor: Executor, number: int) -> None:
    """What Qiskit exports, read by us and by Qiskit's importer; without U, whose phase the importer leaves out."""
    circuit = transpile(circuits(number + 1)[number], basis_gates=["rz", "sx", "p", "cx"], optimization_level=0)
    text = qasm3.dumps(circuit)
    text = text[text.index("stdgates.inc") + len('stdgates.inc";') :]
    assert close(only(executor, text, STATE), Statevector(qasm3.loads(HEAD + text)).data)


def test_phase_of_u_is_that_of_the_specification(executor: Executor) -> None:
    """OpenQASM 3 specification, "Built-in single-qubit gate U": the matrix, whose first column is computed here."""
    theta, phi = 0.7, -1.1
    turn = np.exp(1j * theta)
    expected = np.array([1 + turn, 1j * np.exp(1j * phi) * (1 - turn)]) / 2
    assert close(only(executor, f"qubit q; U({theta}, {phi}, 0.4) q;", STATE), expected)


def test_phase_of_statements_and_definitions(executor: Executor) -> None:
    text = (
        "gate g(a) t { gphase(a); rz(a) t; } qubit[2] q; gphase(0.3); h q[0]; g(0.5) q[1]; ctrl @ g(0.25) q[0], q[1];"
    )
    circuit = QuantumCircuit(2, global_phase=0.3 + 0.5)
    circuit.h(0)
    circuit.rz(0.5, 1)
    circuit.crz(0.25, 0, 1)
    circuit.append(PhaseGate(0.25), [0])
    assert close(only(executor, text, STATE), Statevector(circuit).data)


def test_wide_program_needs_only_the_qubits_of_its_outputs(executor: Executor) -> None:
    text = "qubit[60] q; h q; cx q[30], q[31]; ry(0.4) q[7]; cx q[7], q[59];"
    found = result(executor, text, of(OutputType.PROBABILITIES, 59, 30))
    assert found.outputs is not None
    p = np.sin(np.pi / 4 + 0.2) ** 2  # of qubit 7; qubit 59 is in |+> and stays so
    assert p > 0.5
    assert close(array(found.outputs["probabilities"]), [0.25] * 4)
    assert found.profile.qubits == 4


def test_counts_and_state_of_a_program_that_measures_at_its_end(executor: Executor) -> None:
    text = "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
    found = result(executor, text, COUNTS, STATE, seed=3, memory=True)
    plain = result(executor, text, seed=3, memory=True)
    assert (found.counts, found.memory) == (plain.counts, plain.memory)
    assert found.outputs is not None
    assert close(array(found.outputs["statevector"]), Statevector([2**-0.5, 0, 0, 2**-0.5]).data)


def test_counts_alone_are_as_without_outputs(executor: Executor) -> None:
    text = "qubit[2] q; bit[2] c; h q[0]; c = measure q;"
    assert result(executor, text, COUNTS, seed=5).counts == result(executor, text, seed=5).counts


def test_sweep_has_outputs_at_each_point(executor: Executor) -> None:
    text = "input float a; qubit q; bit c; ry(a) q; c = measure q;"
    angles = [0.1, 0.7, 2.0]
    found = result(executor, text, COUNTS, of(OutputType.PROBABILITIES), inputs={"a": angles}, seed=2)
    plain = result(executor, text, inputs={"a": angles}, seed=2)
    assert found.points is not None
    assert plain.points is not None
    assert [point.counts for point in found.points] == [point.counts for point in plain.points]
    for angle, point in zip(angles, found.points, strict=True):
        assert point.outputs is not None
        assert close(array(point.outputs["probabilities"]), [np.cos(angle / 2) ** 2, np.sin(angle / 2) ** 2])


def test_sweep_of_a_circuit_has_its_phase_at_each_point(executor: Executor) -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(2, global_phase=theta / 2)
    circuit.h(0)
    circuit.crx(theta, 0, 1)
    angles = [0.3, -1.2]
    found = result(executor, circuit, STATE, inputs={"theta": angles}).points
    assert found is not None
    for angle, point in zip(angles, found, strict=True):
        assert point.outputs is not None
        assert close(array(point.outputs["statevector"]), Statevector(circuit.assign_parameters([angle])).data)
        assert not point.counts


def test_braket_program_without_measurements_has_a_state(executor: Executor) -> None:
    spec = TaskSpec(
        circuit="OPENQASM 3.0; qubit[2] q; h q[0]; cnot q[0], q[1];", shots=1, options=RunOptions(outputs=(STATE,))
    )
    found = executor.respond(Request(spec, "t")).outcome
    assert isinstance(found, RunResult)
    assert found.outputs is not None
    assert close(array(found.outputs["statevector"]), Statevector([2**-0.5, 0, 0, 2**-0.5]).data)


def test_openqasm_2_has_a_state(executor: Executor) -> None:
    text = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; u3(0.1,0.2,0.3) q[0];'
    options = RunOptions(outputs=(STATE,), format=ProgramFormat.OPENQASM2)
    found = executor.respond(Request(TaskSpec(circuit=text, shots=1, options=options), "t")).outcome
    assert isinstance(found, RunResult)
    assert found.outputs is not None
    circuit = QuantumCircuit(1)
    circuit.u(0.1, 0.2, 0.3, 0)
    assert close(array(found.outputs["statevector"]), Statevector(circuit).data)


@pytest.mark.parametrize(
    ("text", "output", "kind", "words"),
    [
        ("qubit q; bit c; c = measure q; x q;", STATE, OutputsInvalid, "measures before"),
        ("qubit q; h q; reset q;", STATE, OutputsInvalid, "'reset'"),
        ("qubit q; reset q; h q;", UNITARY, OutputsInvalid, "'reset'"),
        ("qubit q; bit c; c = measure q; if (c) x q;", STATE, OutputsInvalid, "'if_else'"),
        ("gphase(1.0);", STATE, OutputsInvalid, "no qubits"),
        ("bit c;", UNITARY, OutputsInvalid, "no qubits"),
        (
            "qubit[21] q; h q; for int i in [0:19] { cx q[i], q[i+1]; }",
            of(OutputType.ENTROPY, 20),
            ProgramTooLarge,
            "21 qubits with outputs takes 96 MiB",
        ),
        ("qubit[3] q;", of(OutputType.PROBABILITIES, 3), OutputsInvalid, "names qubit 3, and the program has 3"),
        ("qubit[3] q;", LETTERS, OutputsInvalid, "have 2 letters, and the program has 3 qubits"),
        ("qubit[24] q; h q;", of(OutputType.ENTROPY, *range(12)), ProgramTooLarge, "at most 11"),
        ("qubit[15] q; h q;", of(OutputType.PROBABILITIES), None, ""),
        ("qubit[16] q; h q;", of(OutputType.PROBABILITIES), ProgramTooLarge, "more numbers than the 41943"),
        ("qubit[4000] q; h q;", STATE, ProgramTooLarge, "numbers"),
        (
            "qubit[30] q; h q; for int i in [0:28] { cx q[i], q[i+1]; }",
            of(OutputType.ENTROPY, 29),
            ProgramTooLarge,
            "memory",
        ),
    ],
)
def test_programs_without_the_output(executor: Executor, text: str, output: Any, kind: Any, words: str) -> None:
    found = outcome(executor, text, output)
    if kind is None:
        assert isinstance(found, RunResult)
        return
    assert type(found) is kind
    assert words in found.message


def test_first_resets_prepare_the_state(executor: Executor) -> None:
    assert close(only(executor, "qubit[2] q; reset q; gphase(pi); x q[1];", STATE), [0, 0, -1, 0])


@pytest.mark.parametrize("method", [Method.MATRIX_PRODUCT_STATE, Method.STABILIZER, Method.STIM, Method.DENSITY_MATRIX])
def test_other_methods_are_rejected(executor: Executor, method: Method) -> None:
    found = outcome(executor, "qubit q;", STATE, method=method)
    assert isinstance(found, ProgramUnsupported)
    assert method in found.message


def test_inspection_of_outputs(executor: Executor) -> None:
    found = outcome(executor, "qubit[3] q; h q;", STATE, command=Command.INSPECT)
    assert isinstance(found, Inspection)
    assert (found.method, found.qubits, found.memory_bytes) == (Method.STATEVECTOR, 3, 128)
    wrong = outcome(executor, "qubit[3] q; h q; reset q;", STATE, command=Command.INSPECT)
    assert isinstance(wrong, ExecutionFailed)
    assert wrong.code == "outputs_invalid"
    unmeasured = outcome(executor, "qubit[3] q; h q;", COUNTS, STATE, command=Command.INSPECT)
    assert isinstance(unmeasured, ProgramUnsupported)


@pytest.mark.parametrize(
    "values",
    [
        [[1, 0]],
        [[1, 0], [0]],
        [[1, 0], [0, "0"]],
        [[1, 0], [0, float("nan")]],
        [[1, 0], [0, True]],
        [1, 0],
        None,
        {"0": 1},
    ],
)
def test_other_shapes_are_not_accepted_from_a_simulator(values: Any) -> None:
    with pytest.raises(ValueError, match="output"):
        checked_outputs({"statevector": {"qubits": [0], "values": values}}, [STATE])


@pytest.mark.parametrize(
    ("values", "variance"), [([1.0], True), ([[1.0, 0.0]], False), ([], False), ([1.0, 2.0], False)]
)
def test_another_number_of_values_is_not_accepted(values: Any, variance: bool) -> None:
    requested = RequestedOutput(OutputType.EXPECTATION_VALUES, "v", observables=({"Z": 1.0},), variance=variance)
    with pytest.raises(ValueError, match="output"):
        checked_outputs({"v": {"qubits": [0], "values": values}}, [requested])

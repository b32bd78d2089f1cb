"""Expectation values, compared with Qiskit's."""

import math
import random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import efficient_su2
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Pauli, SparsePauliOp, StabilizerState, Statevector, random_clifford

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ExecutionFailed, ObservablesInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.observable import Observables
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request, decode_request, encode_request
from ketline.execution.protocol.responses import decode_response, encode_response
from tests.circuits import as_qpy, terms_of

HEAD = 'OPENQASM 3.0; include "stdgates.inc";'
LIMITS = ExecutionLimits(memory_bytes=64 << 20, max_result_bytes=1 << 16)


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def asked(
    executor: Executor,
    program: Any,
    observables: Any,
    inputs: Inputs | None = None,
    method: Method = Method.AUTOMATIC,
    command: Command = Command.RUN,
) -> Any:
    """What a worker hears of a program, a circuit of Qiskit's or text."""
    form = ProgramFormat.OPENQASM3 if isinstance(program, str) else ProgramFormat.QPY
    text = HEAD + program if isinstance(program, str) else as_qpy(program)
    options = RunOptions(format=form, observables=observables, method=method)
    sent = decode_request(
        encode_request(
            Request(TaskSpec(circuit=text, shots=1024, options=options, inputs=inputs or {}), "t", command=command)
        )
    )
    return decode_response(encode_response(executor.respond(sent), sent), sent).outcome


def values(executor: Executor, program: Any, observables: Any, *more: Any) -> Any:
    result = asked(executor, program, observables, *more)
    assert isinstance(result, RunResult), result
    assert (result.counts, result.points, result.memory) == ({}, None, None)
    return result.expectation_values


def random_operator(qubits: int, terms: int, seed: int) -> Any:
    choose = random.Random(seed)
    labels = ["".join(choose.choices("IXYZ", k=qubits)) for _ in range(terms)]
    return SparsePauliOp.from_list([(label, choose.uniform(-2, 2)) for label in labels]).simplify()


@pytest.mark.parametrize("seed", range(15))
def test_values_are_those_of_the_state(executor: Executor, seed: int) -> None:
    qubits = 1 + seed % 5
    circuit = random_circuit(qubits, 5, max_operands=min(4, qubits), seed=seed)
    operators = [random_operator(qubits, terms, seed + terms) for terms in (1, 3, 8)]
    expected = [Statevector(circuit).expectation_value(operator).real for operator in operators]
    assert values(executor, circuit, list(map(terms_of, operators))) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("method", [Method.STATEVECTOR, Method.DENSITY_MATRIX, Method.MATRIX_PRODUCT_STATE])
def test_methods_agree(executor: Executor, method: Method) -> None:
    circuit = efficient_su2(4, reps=1).assign_parameters(np.linspace(0, 2, 16))
    operator = random_operator(4, 6, 3)
    expected = [Statevector(circuit).expectation_value(operator).real]
    result = asked(executor, circuit, [terms_of(operator)], method=method)
    assert result.expectation_values == pytest.approx(expected, abs=1e-9)
    assert result.profile.method == method


def test_many_qubits_of_clifford_gates(executor: Executor) -> None:
    wide = QuantumCircuit(60)
    wide.compose(random_clifford(5, seed=2).to_circuit(), [50, 3, 40, 10, 22], inplace=True)
    wide.h(range(0, 60, 2))
    for qubit in range(59):
        wide.cz(qubit, qubit + 1)
    state = StabilizerState(wide)
    labels = [label[1:] for label in state.clifford.to_labels(mode="S")[:4]]
    operators = [SparsePauliOp.from_list([(label, 0.5), ("I" * 60, 2)]) for label in labels]
    operators.append(random_operator(60, 1, 3))
    result = asked(executor, wide, list(map(terms_of, operators)))
    assert result.profile.method == "stabilizer"
    expected = [
        sum(factor.real * state.expectation_value(Pauli(label)) for label, factor in operator.to_list())
        for operator in operators
    ]
    assert {abs(value) for value in expected[:4]} <= {1.5, 2.5}
    assert result.expectation_values == pytest.approx(expected, abs=1e-9)


def test_only_what_is_looked_at_is_simulated(executor: Executor) -> None:
    """Forty qubits have no state that fits; the three that the observable depends on have."""
    circuit = QuantumCircuit(40)
    circuit.rx(0.1, range(40))
    circuit.cx(30, 20)
    circuit.cx(10, 30)
    observable = {"".join("Z" if 39 - place in (20, 30) else "I" for place in range(40)): 1.0}
    result = asked(executor, circuit, [observable])
    assert result.profile.qubits == 3
    # Z20 Z30 before the last CX is Z20 Z30 Z10, before the first Z20 Z10.
    assert result.expectation_values == pytest.approx([math.cos(0.1) ** 2], abs=1e-9)


def test_rightmost_letter_is_qubit_0(executor: Executor) -> None:
    program = "qubit[2] q; qubit r; x q[1]; h r;"
    assert values(executor, program, [{"IIZ": 1}, {"IZI": 1}, {"XII": 2, "III": 0.5}]) == pytest.approx([1, -1, 2.5])


def test_identity_alone_has_its_value(executor: Executor) -> None:
    assert values(executor, "qubit[30] q; h q;", [{"I" * 30: -0.25}]) == pytest.approx([-0.25])


@pytest.mark.parametrize("form", ["text", "qpy"])
def test_sweeps_have_values_for_each_point(executor: Executor, form: str) -> None:
    circuit = QuantumCircuit(2)
    circuit.rx(Parameter("theta"), 0)
    circuit.cx(0, 1)
    program = circuit if form == "qpy" else "input float theta; qubit[2] q; rx(theta) q[0]; cx q[0], q[1];"
    angles = [0.1, 0.2, 0.3]
    same = values(executor, program, [{"IZ": 1}, {"ZZ": 2}], {"theta": angles})
    assert same == [pytest.approx([math.cos(angle), 2]) for angle in angles]
    own: list[Any] = [[{"IZ": 1}], [{"ZZ": 2}, {"ZI": 3}], [{"XI": 1}]]
    each = values(executor, program, own, {"theta": angles})
    assert each == [pytest.approx([math.cos(0.1)]), pytest.approx([2, 3 * math.cos(0.2)]), pytest.approx([0])]


def test_a_state_may_be_prepared_by_resets(executor: Executor) -> None:
    circuit = QuantumCircuit(2)
    circuit.initialize([0, 1, 0, 0])
    assert values(executor, circuit, [{"IZ": 1}, {"ZI": 1}]) == pytest.approx([-1, 1])
    assert values(executor, "qubit q; reset q; x q;", [{"Z": 1}]) == pytest.approx([-1])


@pytest.mark.parametrize(
    ("program", "observables", "words"),
    [
        ("qubit[2] q; h q;", [{"Z": 1}], "1 letters, and the circuit has 2 qubits"),
        ("qubit[2] q; h q;", [{"ZZZ": 1}], "3 letters, and the circuit has 2 qubits"),
        ("qubit[2] q; h q;", [{"ZZ": 1}, {"Z": 1}], "not all of one length"),
    ],
)
def test_observables_that_do_not_fit(executor: Executor, program: str, observables: Observables, words: str) -> None:
    error = asked(executor, program, observables)
    assert isinstance(error, ObservablesInvalid)
    assert error.code == "observables_invalid"
    assert words in error.message


@pytest.mark.parametrize(
    ("method", "words"),
    [(Method.STIM, "'stim' has no expectation values"), (Method.EXTENDED_STABILIZER, "no longer offered")],
)
def test_methods_without_values_are_rejected(executor: Executor, method: Method, words: str) -> None:
    error = asked(executor, "qubit q; h q;", [{"X": 1}], None, method)
    assert isinstance(error, ProgramUnsupported)
    assert words in error.message


@pytest.mark.parametrize(
    ("program", "observables", "inputs"),
    [
        (
            "qubit[40] q; for int i in [0:39] { for int j in [0:39] { if (i != j) { cp(0.1) q[i], q[j]; } } h q[i]; }",
            40,
            {},
        ),
        ("input float theta; qubit q; rx(theta) q;", 1, {"theta": [0.5] * 3000}),
    ],
    ids=["state", "values"],
)
def test_what_is_too_large_is_said_before(executor: Executor, program: str, observables: int, inputs: Inputs) -> None:
    error = asked(executor, program, [{"X" * observables: 1}], inputs, Method.STATEVECTOR)
    assert isinstance(error, ProgramTooLarge)


def test_inspection_knows_the_method(executor: Executor) -> None:
    inspection = asked(executor, "qubit[2] q; h q[0];", [{"IX": 1}], command=Command.INSPECT)
    assert isinstance(inspection, Inspection)
    assert (inspection.method, inspection.qubits, inspection.unused_qubits) == (Method.STATEVECTOR, 1, 1)


def test_answers_that_are_no_values_are_not_believed(executor: Executor) -> None:
    request = Request(
        TaskSpec(circuit=HEAD + "qubit q;", shots=1, options=RunOptions(observables=({"Z": 1}, {"X": 1}))), "t"
    )
    response = encode_response(executor.respond(request), request)
    assert isinstance(decode_response(response, request).outcome, RunResult)
    for other in (b"[1.0]", b"[1.0, NaN]", b'"ab"', b"null"):
        said = response.replace(
            response[response.index(b'"expectation_values":') + 21 : response.index(b"]") + 1], other
        )
        with pytest.raises(ValueError):
            decode_response(said, request)


def test_failures_are_not_values(executor: Executor) -> None:
    assert isinstance(asked(executor, "qubit q; x r;", [{"Z": 1}]), ExecutionFailed)

"""Circuits in QPY: read, rejected, and run as Qiskit means them."""

import base64
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from qiskit import transpile
from qiskit.circuit import (
    AnnotatedOperation,
    ClassicalRegister,
    Clbit,
    ControlModifier,
    Gate,
    Instruction,
    InverseModifier,
    Parameter,
    ParameterVector,
    PowerModifier,
    QuantumCircuit,
    QuantumRegister,
)
from qiskit.circuit.classical import expr
from qiskit.circuit.library import HGate, PermutationGate, QFTGate, RYGate, SGate, UnitaryGate, XGate, efficient_su2
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator, random_clifford
from qiskit_aer import AerSimulator

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.circuits.qpy import VERSIONS
from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Drawing, Inspection
from ketline.domain.tasks.seeds import point_seed
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request, decode_request, encode_request
from ketline.execution.protocol.responses import decode_response, encode_response
from tests.circuits import as_qpy

LIMITS = ExecutionLimits(max_operations=2000, max_qubits=40, max_bits=50)
OPTIONS = RunOptions(seed=7, format=ProgramFormat.QPY)


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def asked(executor: Executor, circuit: Any, inputs: Inputs | None = None, **request: Any) -> Any:
    """What a worker hears of a circuit."""
    text = circuit if isinstance(circuit, str) else as_qpy(circuit)
    options = request.pop("options", OPTIONS)
    sent = decode_request(
        encode_request(
            Request(
                TaskSpec(circuit=text, shots=request.pop("shots", 100), options=options, inputs=inputs or {}),
                "t",
                **request,
            )
        )
    )
    return decode_response(encode_response(executor.respond(sent), sent), sent).outcome


def counts(executor: Executor, circuit: Any, inputs: Inputs | None = None) -> Mapping[str, int]:
    result = asked(executor, circuit, inputs)
    assert isinstance(result, RunResult), result
    return result.counts


def failure(executor: Executor, circuit: Any, inputs: Inputs | None = None) -> ExecutionFailed:
    outcome = asked(executor, circuit, inputs)
    assert isinstance(outcome, ExecutionFailed), outcome
    return outcome


def flipped(qubits: int = 1) -> Any:
    circuit = QuantumCircuit(qubits, qubits)
    circuit.x(range(qubits))
    return circuit


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(executor: Executor, version: int) -> None:
    angle = Parameter("θ")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(angle + math.pi / 2, 0)
    circuit.append(QFTGate(2), [0, 1])
    circuit.append(QFTGate(2).definition.inverse().to_gate(label="mine"), [0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    assert counts(executor, as_qpy(circuit, version), {"θ": math.pi / 2}) == {"11": 100}


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits_come_out_as_with_qiskit(executor: Executor, seed: int) -> None:
    circuit = random_circuit(4, 5, max_operands=4, seed=seed)
    circuit = circuit.compose(circuit.inverse())
    circuit.x(seed % 4)
    circuit.measure_all()
    assert counts(executor, circuit) == {f"{1 << seed % 4:04b}": 100}


def test_registers_that_share_bits_and_bits_without_show_as_they_are(executor: Executor) -> None:
    shared = [Clbit() for _ in range(3)]
    first, second = ClassicalRegister(name="a", bits=shared[:2]), ClassicalRegister(name="b", bits=shared[1:])
    circuit = QuantumCircuit(QuantumRegister(4, "q"), shared, [Clbit()])
    circuit.add_register(second, first)
    circuit.x([1, 3])
    circuit.measure(range(4), range(4))
    result = asked(executor, circuit)
    assert result.counts == {"10 01 1": 100}
    assert [(one.name, one.bits) for one in result.profile.registers] == [(None, 1), ("b", 2), ("a", 2)]


def test_keys_are_those_of_qiskit(executor: Executor) -> None:
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(1, "z"), ClassicalRegister(2, "a"))
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    assert counts(executor, circuit) == AerSimulator().run(circuit, shots=100).result().get_counts()


def test_control_flow_runs(executor: Executor) -> None:
    circuit = QuantumCircuit(2, 3)
    with circuit.for_loop(range(3)):
        circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.cregs[0], 1)):
        circuit.x(1)
        with circuit.if_test(expr.logic_not(circuit.clbits[1])):
            circuit.x(0)
    circuit.measure([0, 1], [1, 2])
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.measure(0, 0)
    with circuit.box():
        circuit.x(0)
        circuit.measure(0, 1)
    assert counts(executor, circuit) == {"110": 100}


def test_loops_know_their_turn(executor: Executor) -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(4)) as turn:
        circuit.rx(turn * math.pi / 6, 0)
    circuit.measure(0, 0)
    assert counts(executor, circuit) == {"1": 100}


def test_instructions_with_bits_of_their_own_are_taken_apart(executor: Executor) -> None:
    inner = flipped()
    inner.measure(0, 0)
    circuit = QuantumCircuit(2, 2)
    circuit.append(inner.to_instruction(), [1], [1])
    circuit.measure(0, 0)
    assert counts(executor, circuit) == {"10": 100}


def test_measurements_of_other_names_are_measurements(executor: Executor) -> None:
    """As qiskit_ibm_runtime has them, whose class no reader but its own knows."""
    inner = flipped()
    inner.append(Instruction("measure_3", 1, 1, []), [0], [0])
    circuit = QuantumCircuit(2, 3)
    circuit.x(0)
    circuit.append(Instruction("measure_2", 1, 1, []), [0], [0])
    with circuit.if_test((0, 1)):
        circuit.append(Instruction("measure_3", 1, 1, []), [0], [1])
    circuit.append(inner.to_instruction(), [1], [2])
    assert counts(executor, circuit) == {"111": 100}


def test_names_are_not_believed(executor: Executor) -> None:
    """A gate that is called like one of Aer's and is another one."""
    circuit = QuantumCircuit(1, 1)
    for name in ("h", "id", "unitary", "measure", "reset"):
        liar = Gate(name, 1, [])
        liar.definition = QuantumCircuit(1)
        liar.definition.x(0)
        circuit.append(liar, [0])
    circuit.measure(0, 0)
    assert counts(executor, circuit) == {"1": 100}
    assert "h q" not in asked(executor, circuit, command=Command.DRAW, drawing=Drawing.FLAT)


def test_parameters_are_the_inputs(executor: Executor) -> None:
    vector, scale = ParameterVector("x", 2), Parameter("scale")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(scale * vector[0], 0)
    circuit.append(efficient_su2(1, reps=0, parameter_prefix="y").to_gate(), [1])
    circuit.rx(vector[1], 1)
    circuit.measure([0, 1], [0, 1])
    given: dict[str, Any] = {"x[0]": math.pi / 2, "x[1]": 0.0, "scale": 2, "y[0]": 0.0, "y[1]": 0.0}
    assert counts(executor, circuit, given) == {"01": 100}
    swept = asked(executor, circuit, {**given, "x[1]": [0.0, math.pi]})
    assert [point.counts for point in swept.points] == [{"01": 100}, {"11": 100}]


def test_a_point_of_a_sweep_is_what_a_task_of_it_alone_gives(executor: Executor) -> None:
    angle = Parameter("t")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(angle, 0)
    circuit.measure(0, 0)
    values = [0.3, 1.1, 2.0]
    swept = asked(executor, circuit, {"t": values})
    for number, value in enumerate(values):
        options = RunOptions(seed=point_seed(7, number), format=ProgramFormat.QPY)
        assert asked(executor, circuit, {"t": value}, options=options).counts == swept.points[number].counts


def turned(angle: Any) -> Any:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(angle, 0)
    circuit.measure(0, 0)
    return circuit


T = Parameter("t")


@pytest.mark.parametrize(
    ("circuit", "inputs", "words"),
    [
        (turned(T), {}, "parameter 't' has no value"),
        (turned(T), {"t": 1, "u": 2}, "no parameter 'u'"),
        (turned(1.0), {"u": 2}, "no parameter 'u'"),
        (turned(T), {"t": True}, "takes a number"),
        (turned(T), {"t": "01"}, "takes a number"),
        (turned(1 / T), {"t": 0}, "do not give angles"),
        (turned(T.log()), {"t": -1}, "do not give angles|not a finite number"),
        (turned(T.exp()), {"t": 1e5}, "do not give angles|not a finite number"),
        (turned(T), {"t": [1, "0"]}, "at point 1: .*takes a number"),
        (turned(math.nan), {}, "not a finite number"),
        (turned(math.inf), {}, "not a finite number"),
    ],
)
def test_inputs_that_do_not_fit(executor: Executor, circuit: Any, inputs: Inputs, words: str) -> None:
    error = failure(executor, circuit, inputs)
    assert isinstance(error, ProgramInvalid)
    assert re.search(words, error.message)


def with_opaque_gate() -> Any:
    circuit = flipped()
    circuit.append(Gate("oracle", 1, []), [0])
    circuit.measure(0, 0)
    return circuit


def measured_by(name: str) -> Any:
    circuit = flipped()
    circuit.append(Instruction(name, 1, 1, []), [0], [0])
    return circuit


@pytest.mark.parametrize(
    ("circuit", "words"),
    [
        (flipped(), "nothing is measured"),
        (with_opaque_gate(), "'oracle' cannot be simulated"),
        (measured_by("measure_reset"), "'measure_reset' cannot be simulated"),
    ],
)
def test_what_is_not_supported_says_so(executor: Executor, circuit: Any, words: str) -> None:
    error = failure(executor, circuit)
    assert isinstance(error, ProgramUnsupported)
    assert words in error.message


def endless_loop() -> Any:
    circuit = flipped()
    with circuit.for_loop(range(10**9)):
        circuit.x(0)
    circuit.measure(0, 0)
    return circuit


def doubling(times: int) -> Any:
    inner = QuantumCircuit(1)
    inner.x(0)
    for number in range(times):
        outer = QuantumCircuit(1, name=f"d{number}")
        outer.append(inner.to_gate(), [0])
        outer.append(inner.to_gate(), [0])
        inner = outer
    circuit = QuantumCircuit(1, 1)
    circuit.append(inner.to_gate(), [0])
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize(
    "make",
    [lambda: flipped(41), lambda: QuantumCircuit(1, 51), endless_loop, lambda: doubling(12)],
    ids=["qubits", "bits", "loop", "gates"],
)
def test_limits_are_those_of_text(executor: Executor, make: Callable[[], Any]) -> None:
    assert isinstance(failure(executor, make()), ProgramTooLarge)


@pytest.mark.parametrize(
    "operation",
    [
        PermutationGate([2, 0, 1]),
        random_clifford(2, seed=1),
        AnnotatedOperation(HGate(), [ControlModifier(1)]),
        AnnotatedOperation(SGate(), [InverseModifier(), ControlModifier(1, 0)]),
        AnnotatedOperation(RYGate(0.3), [InverseModifier(), PowerModifier(3), ControlModifier(2, 1)]),
        AnnotatedOperation(XGate(), [PowerModifier(0.5), ControlModifier(1)]),
        AnnotatedOperation(PermutationGate([1, 0]), [ControlModifier(1)]),
        AnnotatedOperation(QFTGate(2), [ControlModifier(1)]),
    ],
    ids=lambda operation: operation.name,
)
def test_operations_without_definition_are_their_matrix(operation: Any) -> None:
    before = QuantumCircuit(operation.num_qubits)
    before.h(range(operation.num_qubits))  # lowering makes use of qubits that are 0
    circuit = before.copy()
    circuit.append(operation, range(operation.num_qubits))
    circuit.measure_all()
    program = load_program(as_qpy(circuit), LIMITS, form=ProgramFormat.QPY)
    found = Operator(program.lowered.circuit.remove_final_measurements(inplace=False)).data
    overlap = np.trace(found.conj().T @ Operator(operation).data @ Operator(before).data)
    assert abs(overlap) == pytest.approx(2**operation.num_qubits)


def test_an_annotated_gate_with_the_name_of_another_is_rejected(executor: Executor) -> None:
    liar = Gate("h", 1, [])
    liar.definition = QuantumCircuit(1)
    liar.definition.x(0)
    circuit = QuantumCircuit(2, 1)
    circuit.append(AnnotatedOperation(liar, [ControlModifier(1)]), [0, 1])
    circuit.measure(1, 0)
    error = failure(executor, circuit)
    assert isinstance(error, ProgramUnsupported)
    assert "'h' as an annotated operation" in error.message


def test_wide_permutations_run(executor: Executor) -> None:
    circuit = QuantumCircuit(20, 20)
    circuit.x(0)
    circuit.append(PermutationGate([*range(1, 20), 0]), range(20))
    circuit.measure(range(20), range(20))
    assert counts(executor, circuit) == {"1" + "0" * 19: 100}


def test_matrices_are_unitary(executor: Executor) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.append(UnitaryGate(np.array([[0, 1], [1, 0]])), [0])
    circuit.measure(0, 0)
    assert counts(executor, circuit) == {"1": 100}
    scaled = base64.b64decode(as_qpy(circuit)).replace(np.float64(1.0).tobytes(), np.float64(2.0).tobytes())
    outcome = failure(executor, base64.b64encode(scaled).decode())
    assert isinstance(outcome, ProgramInvalid)


def test_version_and_garbage_are_found_by_the_child_too(executor: Executor) -> None:
    assert isinstance(failure(executor, "QPY"), ProgramInvalid)
    old = b"QISKIT\x0c" + base64.b64decode(as_qpy(flipped()))[7:]
    error = failure(executor, base64.b64encode(old).decode())
    assert isinstance(error, ProgramUnsupported)
    assert "versions 13 to 18" in error.message


def test_it_is_inspected_and_drawn(executor: Executor) -> None:
    circuit = turned(T)
    inspection = asked(executor, circuit, {"t": [0.5, 0.6]}, command=Command.INSPECT)
    assert isinstance(inspection, Inspection)
    assert (inspection.tier, inspection.qubits, dict(inspection.operations)) == ("qpy", 1, {"rx": 1, "measure": 1})
    flat = asked(executor, circuit, {"t": [0.5, 0.6]}, command=Command.DRAW, drawing=Drawing.FLAT)
    assert "rx(0.5) q[0];" in flat
    assert "parameter 't'" in asked(executor, circuit, command=Command.DRAW).message


def test_what_transpile_makes_runs_unchanged(executor: Executor) -> None:
    circuit = random_circuit(3, 4, seed=3)
    circuit = circuit.compose(circuit.inverse())
    circuit.measure_all()
    made = transpile(circuit, basis_gates=["rz", "sx", "x", "cx"], seed_transpiler=1)
    assert counts(executor, made) == {"000": 100}


def test_loop_that_does_not_use_its_parameter_runs(executor: Executor) -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(3), Parameter("i")):
        circuit.x(0)
    circuit.measure(0, 0)
    (count,) = counts(executor, circuit).items()
    assert count[0] == "1"

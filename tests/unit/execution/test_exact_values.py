"""Exact expectation values of programs that measure, reset, branch or loop, or have noise."""

import random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit.quantum_info import DensityMatrix, SparsePauliOp, Statevector
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error, thermal_relaxation_error

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.noise_layers import Noise
from ketline.domain.errors import ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.result import RunResult, WarningCode
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.protocol.responses import decode_response, encode_response
from tests.blocks import long_after, numbers
from tests.circuits import as_qpy, terms_of
from tests.noise import random_circuit, random_model
from tests.outcomes import random_dynamic, random_observables, values_over_outcomes

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
_BLOCK = 8
READOUT = {"name": "readout", "p01": 0.1, "p10": 0.2}
DEPOLARIZING = {"name": "depolarizing", "one_qubit": 0.02, "two_qubit": 0.05}


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=256 << 20))


@pytest.fixture(scope="module")
def without_lightning() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=256 << 20, lightning=False))


def outcome(
    executor: Executor,
    program: Any,
    observables: Any,
    *,
    noise: Noise | None = None,
    method: Method = Method.AUTOMATIC,
    inputs: Inputs | None = None,
    command: Command = Command.RUN,
) -> Any:
    is_text = isinstance(program, str)
    options = RunOptions(
        format=ProgramFormat.OPENQASM3 if is_text else ProgramFormat.QPY,
        observables=tuple(observables),
        noise=noise,
        method=method,
    )
    text = HEAD + program if is_text else as_qpy(program)
    request = Request(TaskSpec(circuit=text, shots=1, options=options, inputs=inputs or {}), "t", command=command)
    return decode_response(encode_response(executor.respond(request), request), request).outcome


def values(executor: Executor, program: Any, observables: Any, **more: Any) -> Any:
    result = outcome(executor, program, observables, **more)
    assert isinstance(result, RunResult), result
    return result.expectation_values


def compare(executor: Executor, circuit: QuantumCircuit, seed: int, method: Method = Method.AUTOMATIC) -> None:
    operators = random_observables(seed, circuit.num_qubits)
    found = values(executor, circuit, map(terms_of, operators), method=method)
    assert found == pytest.approx(values_over_outcomes(circuit, operators), abs=1e-9)


@pytest.mark.parametrize("block", long_after(1, range(20)))
def test_random_circuits_with_branches(executor: Executor, block: int) -> None:
    for number in numbers(block, _BLOCK):
        compare(executor, random_dynamic(number, 1 + number % 4), number)


@pytest.mark.parametrize("method", [Method.STATEVECTOR, Method.DENSITY_MATRIX])
@pytest.mark.parametrize("block", long_after(1, range(20)))
def test_both_methods_give_the_same(
    executor: Executor, without_lightning: Executor, block: int, method: Method
) -> None:
    for number in numbers(block, _BLOCK):
        circuit = random_dynamic(1000 + number, 1 + number % 4)
        compare(without_lightning if number % 2 else executor, circuit, number, method)


def test_while_loop_is_followed_to_its_end(executor: Executor) -> None:
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "c"))
    circuit.ry(1.1, 0)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.rx(0.7, 0)
        circuit.cx(0, 1)
        circuit.measure(0, 0)
    circuit.h(1)
    for method in (Method.AUTOMATIC, Method.STATEVECTOR, Method.DENSITY_MATRIX):
        compare(executor, circuit, 3, method)


@pytest.mark.parametrize("qubits", [1, 13])
def test_identity_gates_stay_in_circuits_with_readout_errors(
    executor: Executor, without_lightning: Executor, qubits: int
) -> None:
    """What is misread changes no value, so that the state is that of a circuit without noise."""
    program = f"qubit[{qubits}] q; id q; ry(0.3) q; id q;"
    label = "Z" * qubits
    for each in (executor, without_lightning):
        found = values(each, program, [{label: 1.0}], noise=READOUT)
        assert found == pytest.approx([float(np.cos(0.3)) ** qubits], abs=1e-9)


def test_for_loop_is_followed(executor: Executor) -> None:
    program = """qubit[2] q; bit c; h q[0];
    for int i in [0:3] { cx q[0], q[1]; c = measure q[1]; if (c) { rx(0.3) q[0]; reset q[1]; } }"""
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "c"))
    circuit.h(0)
    for _ in range(4):
        circuit.cx(0, 1)
        circuit.measure(1, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.rx(0.3, 0)
            circuit.reset(1)
    operators = random_observables(5, 2)
    expected = values_over_outcomes(circuit, operators)
    assert values(executor, program, map(terms_of, operators)) == pytest.approx(expected, abs=1e-9)


def test_teleported_state_is_the_state(executor: Executor) -> None:
    program = """qubit[3] q; bit[2] c; u(0.4, 1.2, -0.3) q[0]; h q[1]; cx q[1], q[2]; cx q[0], q[1]; h q[0];
    c[0] = measure q[0]; c[1] = measure q[1]; if (c[1]) { x q[2]; } if (c[0]) { z q[2]; }"""
    alone = QuantumCircuit(1)
    alone.u(0.4, 1.2, -0.3, 0)
    expected = [Statevector(alone).expectation_value(SparsePauliOp(letter)).real for letter in "XYZ"]
    assert values(executor, program, [{f"{letter}II": 1} for letter in "XYZ"]) == pytest.approx(expected)


def test_variables_of_bits_are_computed(executor: Executor) -> None:
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(2, "c"))
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test(expr.bit_xor(circuit.clbits[0], circuit.clbits[1])):
        circuit.x(2)
    assert values(executor, circuit, [{"ZII": 1.0}, {"IZZ": 1.0}]) == pytest.approx([0, 0], abs=1e-12)
    with circuit.if_test(expr.logic_and(circuit.clbits[0], circuit.clbits[1])):
        circuit.x(2)
    assert values(executor, circuit, [{"ZII": 1.0}]) == pytest.approx([-0.5])


def test_expression_without_a_value_is_an_error_and_no_value(executor: Executor) -> None:
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(2, "c"))
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    number = circuit.add_var("n", expr.lift(circuit.cregs[0]))
    with circuit.if_test(expr.equal(expr.div(expr.lift(3, number.type), number), 1)):
        circuit.x(0)
    error = outcome(executor, circuit, [{"IZ": 1.0}])
    assert isinstance(error, ProgramInvalid), error


@pytest.mark.parametrize("size", [1, 2, 3])
def test_measurement_at_the_end_leaves_no_phase(executor: Executor, size: int) -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.ry(0.4, 2)
    circuit.measure(range(size), range(size))
    compare(executor, circuit, size)
    result = outcome(executor, circuit, [{"IXX": 1.0}, {"IZZ": 1.0}])
    assert result.expectation_values == pytest.approx([0, 1])
    assert [warning.code for warning in result.profile.warnings] == [WarningCode.OBSERVABLE_MEASURED]
    assert not outcome(executor, circuit, [{"IZZ": 1.0}]).profile.warnings


def test_measured_circuits_are_as_wide_as_others(executor: Executor) -> None:
    """Measurements at the end take nothing: 20 qubits fit as a statevector, and hundreds as stabilizers."""
    qubits = 20
    body = f"qubit[{qubits}] q; bit[{qubits}] c; rx(0.3) q; for int i in [0:{qubits - 2}] {{ cx q[i], q[i + 1]; }} "
    body += "c = measure q;"
    result = outcome(executor, body, [{"I" * (qubits - 1) + "Z": 1.0}, {"Z" * qubits: 1.0}])
    assert result.expectation_values[0] == pytest.approx(np.cos(0.3))
    wide = "qubit[300] q; bit[300] c; h q[0]; for int i in [0:298] { cx q[i], q[i + 1]; } c = measure q;"
    result = outcome(executor, wide, [{"Z" + "I" * 298 + "Z": 1.0}])
    assert (result.expectation_values, result.profile.method) == ([1.0], "stabilizer")


def test_histories_of_many_qubits(executor: Executor) -> None:
    """A density matrix of 16 qubits has no room, and four states have."""
    program = """qubit[16] q; bit[2] c; h q; for int i in [0:14] { cp(0.2) q[i], q[i + 1]; } rx(0.4) q;
    c[0] = measure q[0]; c[1] = measure q[1]; if (c == 3) { x q[15]; } if (c[0]) { ry(0.5) q[14]; }"""
    result = outcome(executor, program, [{"Z" + "I" * 15: 1.0}, {"IZ" + "I" * 14: 1.0}, {"I" * 14 + "ZZ": 1.0}])
    assert result.profile.method == "statevector"
    shots = 200_000
    text = (
        HEAD
        + program.replace("bit[2] c;", "bit[2] c; bit[2] m; bit[2] f;")
        + "m = measure q[14:15]; f = measure q[0:1];"
    )
    counts = executor.run(Request(TaskSpec(circuit=text, shots=shots, options=RunOptions(seed=3)))).counts
    signs = {"Z15": 0.0, "Z14": 0.0, "ZZ": 0.0}
    for key, count in counts.items():
        f, m, _ = key.split(" ")
        signs["Z15"] += count * (1 - 2 * int(m[0]))
        signs["Z14"] += count * (1 - 2 * int(m[1]))
        signs["ZZ"] += count * (1 - 2 * (int(f[0]) ^ int(f[1])))
    # Five standard errors: false alarms have a probability below 1e-6.
    assert result.expectation_values == pytest.approx([total / shots for total in signs.values()], abs=5 * shots**-0.5)


@pytest.mark.parametrize("block", long_after(1, range(20)))
def test_noise_as_aers_density_matrix(executor: Executor, block: int) -> None:
    for number in numbers(block, _BLOCK):
        qubits = 1 + number % 4
        circuit, model = random_circuit(number, qubits), random_model(number, qubits)
        operators = random_observables(number, qubits)
        saved = circuit.copy()
        for index, operator in enumerate(operators):
            saved.save_expectation_value(operator, range(qubits), label=str(index))
        simulator = AerSimulator(method="density_matrix", fusion_enable=False, max_parallel_threads=1)
        data = simulator.run(saved, noise_model=model, shots=1).result().data()
        noise = {"model": model.to_dict(serializable=True)}
        found = values(executor, circuit, map(terms_of, operators), noise=noise)
        assert found == pytest.approx([data[str(index)] for index in range(len(operators))], abs=1e-9)


@pytest.mark.parametrize("block", long_after(1, range(20)))
def test_noise_with_branches_and_misread_bits(executor: Executor, block: int) -> None:
    for number in numbers(block, _BLOCK):
        choose = random.Random(number)
        circuit = random_dynamic(number, 2)
        errors = {name: depolarizing_error(choose.uniform(0, 0.3), 1) for name in ("h", "rx", "u", "reset", "measure")}
        errors |= {"cx": depolarizing_error(choose.uniform(0, 0.3), 2), "t": thermal_relaxation_error(50, 70, 20)}
        model = NoiseModel()
        for name, error in errors.items():
            model.add_all_qubit_quantum_error(error, name, warnings=False)
        p01, p10 = choose.uniform(0, 0.3), choose.uniform(0, 0.3)
        model.add_all_qubit_readout_error(ReadoutError([[1 - p01, p01], [p10, 1 - p10]]))
        operators = random_observables(number, 2)
        expected = values_over_outcomes(circuit, operators, errors, (p01, p10))
        noise = {"model": model.to_dict(serializable=True)}
        found = values(executor, circuit, map(terms_of, operators), noise=noise)
        assert found == pytest.approx(expected, abs=1e-9)


def test_noise_in_a_while_loop(executor: Executor) -> None:
    """Trajectories repeat the errors of a loop; here each iteration has its own."""
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "c"))
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.cx(0, 1)
        circuit.h(0)
        circuit.measure(0, 0)
    errors = {"h": depolarizing_error(0.1, 1), "cx": depolarizing_error(0.2, 2)}
    model = NoiseModel()
    for name, error in errors.items():
        model.add_all_qubit_quantum_error(error, name)
    operators = random_observables(4, 2)
    found = values(executor, circuit, map(terms_of, operators), noise={"model": model.to_dict(serializable=True)})
    assert found == pytest.approx(values_over_outcomes(circuit, operators, errors), abs=1e-9)


def test_readout_errors_alone_change_no_state(executor: Executor) -> None:
    program = "qubit[20] q; bit[20] c; rx(0.3) q; c = measure q;"
    observables = [{"I" * 19 + "Z": 1.0}]
    result = outcome(executor, program, observables, noise=READOUT)
    assert result.expectation_values == pytest.approx([np.cos(0.3)])
    misread = values(
        executor, "qubit[2] q; bit c; x q[0]; c = measure q[0]; if (c) { x q[1]; }", [{"ZI": 1.0}], noise=READOUT
    )
    assert misread == pytest.approx([-0.6])


def test_sweep_has_values_for_each_point(executor: Executor) -> None:
    program = "input float theta; qubit[2] q; bit c; rx(theta) q[0]; c = measure q[0]; if (c) { x q[1]; }"
    angles = [0.1, 0.9, 2.0]
    for noise in (None, DEPOLARIZING):
        found = values(executor, program, [{"ZI": 1.0}], inputs={"theta": angles}, noise=noise)
        each = [values(executor, program, [{"ZI": 1.0}], inputs={"theta": angle}, noise=noise) for angle in angles]
        assert found == [pytest.approx(one) for one in each]
    assert found != values(executor, program, [{"ZI": 1.0}], inputs={"theta": angles})


def test_what_no_observable_depends_on_is_not_simulated(executor: Executor) -> None:
    """Of 30 qubits only three matter: one is observed, one is read, and one controls."""
    program = """qubit[30] q; bit[30] c; h q; cx q[3], q[4]; c[4] = measure q[4]; c[9] = measure q[9];
    if (c[4]) { x q[0]; } c[7] = measure q[7]; if (c[9]) { x q[8]; }"""
    result = outcome(executor, program, [{"I" * 29 + "Z": 1.0}])
    assert result.profile.qubits == 3
    assert result.expectation_values == pytest.approx([0], abs=1e-12)


def test_what_does_not_fit_is_rejected_before_it_runs(executor: Executor) -> None:
    wide = "qubit[30] q; bit[30] c; h q; reset q[0]; cx q[0], q[1]; c = measure q; if (c == 3) { x q[2]; }"
    noisy = "qubit[20] q; h q; for int i in [0:18] { cx q[i], q[i + 1]; }"
    loops = "qubit[12] q; bit[12] c; for int i in [0:500] { h q; c = measure q; if (c[0]) { x q[1]; } }"
    for program, noise in ((wide, None), (noisy, DEPOLARIZING), (loops, None), (loops, DEPOLARIZING)):
        for command in (Command.RUN, Command.INSPECT):
            qubits = int(program[program.index("[") + 1 : program.index("]")])
            error = outcome(executor, program, [{"Z" * qubits: 1.0}], noise=noise, command=command)
            failure = error.failure if isinstance(error, Inspection) else error
            assert failure is not None
            assert failure.code == "too_large", (program, error)
            assert "'shots' or 'precision'" in failure.message


def test_many_values_of_the_bits_are_too_many_density_matrices() -> None:
    executor = Executor(ExecutionLimits(memory_bytes=1 << 20))
    program = """qubit[4] q; bit[20] c; for int i in [0:19] { h q; c[i] = measure q[0]; }
    if (c == 77) { x q[1]; }"""
    error = outcome(executor, program, [{"IIZI": 1.0}], method=Method.DENSITY_MATRIX)
    assert isinstance(error, ProgramTooLarge), error
    assert "'shots' or 'precision'" in error.message


@pytest.mark.parametrize("method", [Method.STABILIZER, Method.MATRIX_PRODUCT_STATE, Method.STIM])
def test_other_methods_are_rejected_by_name(executor: Executor, method: Method) -> None:
    error = outcome(executor, "qubit q; bit c; h q; reset q; h q; c = measure q; x q;", [{"X": 1.0}], method=method)
    assert isinstance(error, ProgramUnsupported)
    assert f"'{method}'" in error.message


def test_inspection_says_how(executor: Executor) -> None:
    program = "qubit[2] q; bit c; h q[0]; c = measure q[0]; if (c) { x q[1]; }"
    inspection = outcome(executor, program, [{"ZI": 1.0}], noise=DEPOLARIZING, command=Command.INSPECT)
    assert isinstance(inspection, Inspection)
    assert (inspection.method, inspection.failure) == (Method.DENSITY_MATRIX, None)
    assert "exact values" in (inspection.method_reason or "")


def test_density_matrix_of_qiskit_agrees(executor: Executor) -> None:
    """Without outcomes, resets are channels that Qiskit's class has as well."""
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.reset(0)
    circuit.cx(1, 2)
    circuit.ry(0.3, 0)
    operators = random_observables(8, 3)
    state = DensityMatrix.from_instruction(circuit)
    expected = [state.expectation_value(operator).real for operator in operators]
    assert values(executor, circuit, map(terms_of, operators)) == pytest.approx(expected, abs=1e-12)

"""Expectation values on devices: of the program's own qubits, wherever the transpiler moves them."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveExpectationValue
from qiskit_aer.noise import NoiseModel

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.devices.device import Device, device_from_json
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.errors import DeviceMismatch, ObservablesInvalid
from ketline.domain.results.mitigation import Extrapolation, Folding, Mitigation, ZeroNoise
from ketline.domain.results.result import RunResult, WarningCode
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.transpiling import DevicePrograms
from tests.blocks import long_after, numbers
from tests.circuits import terms_of
from tests.devices import LINE_EDGES, RING_EDGES, backend_of, device_of, piece_of, request_on
from tests.noise import GATES, random_circuit
from tests.outcomes import random_dynamic, random_observables, values_over_outcomes

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
LIMITS = ExecutionLimits()
BLOCK = 6
EXACT = 1e-9
# Where T2 is above T1, Aer makes Kraus operators of an error, and leaves out those that are smaller than 1e-8.
OF_AER = 2e-8
LINE = device_of()
HEAVY_HEX = generic_devices()["heavy-hex-57"]
PIECE = piece_of(HEAVY_HEX, (2, 3, 4, 46, 11, 12, 13))
MAX_APART = 12
IDEAL = {
    "line": device_of(noisy=False),
    "directed ring": device_of(RING_EDGES, two_qubit="ecr", noisy=False),
    "symmetric": device_of((*LINE_EDGES, (4, 3), (3, 2), (2, 1), (1, 0)), two_qubit="cz", noisy=False),
    "rzz": device_of(LINE_EDGES, two_qubit="rzz", one_qubit=("id", "rx", "rz"), noisy=False),
    **generic_devices(),
}


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def even(device: Device) -> Device:
    """The device with p01 and p10 alike: Qiskit's target has one number for both."""
    document: Any = device.as_json()
    for qubit in document["qubits"]:
        qubit["p01"] = qubit["p10"] = (qubit["p01"] + qubit["p10"]) / 2
    return device_from_json(document)


def observing(device: Device, program: Any, operators: Sequence[Any], **more: Any) -> Request:
    observables = tuple(one if isinstance(one, dict) else terms_of(one) for one in operators)
    of_task = {"observables": observables, **more.pop("of_task", {})}
    return request_on(device, program, of_task=of_task, **more)


def values(executor: Executor, device: Device, program: Any, operators: Sequence[Any], **more: Any) -> list[float]:
    found = executor.run(observing(device, program, operators, **more)).expectation_values
    assert found is not None
    return list(found)  # type: ignore[arg-type]


def permuted(number: int, qubits: int) -> QuantumCircuit:
    """A random circuit with swaps at its start, in the middle and at its end, which the transpiler may leave out."""
    choose = random.Random(number)
    circuit = QuantumCircuit(qubits)
    for part in range(3):
        circuit.compose(
            random_circuit(10 * number + part, qubits, 5, names=GATES).remove_final_measurements(False),
            range(qubits),
            inplace=True,
        )
        for _ in range(choose.randint(0, 2) if qubits > 1 else 0):
            circuit.swap(*choose.sample(range(qubits), 2))
    return circuit


def layout_of(device: Device, number: int, qubits: int) -> tuple[int, ...] | None:
    """None, or qubits of a part of the device: the state of all that lie between those of a line takes a gigabyte."""
    if number % 3 == 0:
        return None
    choose = random.Random(number)
    first = choose.randint(0, max(0, device.num_qubits - MAX_APART))
    return tuple(choose.sample(range(first, min(first + MAX_APART, device.num_qubits)), qubits))


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("name", IDEAL)
@pytest.mark.parametrize("block", long_after(1, range(12)))
def test_values_on_an_ideal_device_are_those_of_the_program(
    executor: Executor, name: str, level: int, block: int
) -> None:
    device = IDEAL[name]
    for number in numbers(block, BLOCK):
        qubits = 1 + number % 5
        circuit, operators = permuted(number, qubits), random_observables(number, qubits)
        more = {"optimization_level": level, "noise": False, "initial_layout": layout_of(device, number, qubits)}
        expected = [Statevector(circuit).expectation_value(operator).real for operator in operators]
        assert values(executor, device, circuit, operators, **more) == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("block", long_after(1, range(12)))
def test_values_of_programs_that_measure_and_branch(executor: Executor, level: int, block: int) -> None:
    """Measurements at the end and before it, resets and branches: each history by Qiskit's density matrices."""
    device = IDEAL["line"]
    for number in numbers(block, BLOCK):
        qubits = 1 + number % 4
        circuit, operators = random_dynamic(number, qubits), random_observables(number, qubits)
        layout = layout_of(device, number, qubits)
        for noise in (False, True):
            more = {"noise": noise, "optimization_level": level, "initial_layout": layout}
            found = values(executor, device, circuit, operators, **more)
            assert found == pytest.approx(values_over_outcomes(circuit, operators), abs=EXACT)


def of_aer(device: Device, request: Request, operators: Sequence[Any]) -> list[float]:
    """The values of the transpiled circuit by Aer's density matrix with its own model, moved by Qiskit's layout."""
    circuit = DevicePrograms(LIMITS).placer(request.spec, DEFAULT_PROJECT)({}).transpiled.circuit
    saving = circuit.copy()
    for number, operator in enumerate(operators):
        moved = operator.apply_layout(circuit.layout)
        saving.append(SaveExpectationValue(moved, label=str(number)), range(circuit.num_qubits))
    simulator = AerSimulator(method="density_matrix", max_parallel_threads=1, fusion_enable=False)
    model = NoiseModel.from_backend(backend_of(device))
    data = simulator.run(saving, noise_model=model, shots=1).result().data(0)
    return [float(data[str(number)]) for number in range(len(operators))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("device", "agreement"), [(even(LINE), EXACT), (even(PIECE), OF_AER)], ids=["line", "heavy hex"]
)
@pytest.mark.parametrize("block", long_after(2, range(16)))
def test_values_with_errors_are_those_of_aer(executor: Executor, device: Device, agreement: float, block: int) -> None:
    """At all levels, with layouts given and chosen, and with delays in which qubits relax."""
    for number in numbers(block, 8):
        choose, qubits = random.Random(number), 1 + number % 4
        circuit, operators = permuted(number, qubits), random_observables(number, qubits)
        for qubit in range(qubits):
            circuit.delay(choose.choice([0, 3000, 17500]), qubit, unit="dt")
            circuit.sx(qubit)
        layout = layout_of(device, number, qubits)
        request = observing(device, circuit, operators, optimization_level=number % 4, initial_layout=layout)
        found = executor.run(request).expectation_values
        assert found == pytest.approx(of_aer(device, request, operators), abs=agreement)


def test_idle_qubit_relaxes_in_a_delay(executor: Executor) -> None:
    idle = device_of(of_qubit={"t1_us": 50.0, "t2_us": 30.0}, noisy=False)
    program = f"{HEAD}qubit[2] q; x q[1]; h q[0]; delay[20us] q[1]; delay[15us] q[0];"
    for level in range(4):
        found = values(executor, idle, program, [{"ZI": 1}, {"IX": 1}], optimization_level=level)
        assert found == pytest.approx([1 - 2 * np.exp(-20 / 50), np.exp(-15 / 30)], abs=EXACT)


def test_delay_in_a_branch_relaxes(executor: Executor) -> None:
    idle = device_of(of_qubit={"t1_us": 50.0, "t2_us": 30.0}, noisy=False)
    program = f"{HEAD}qubit[2] q; bit c; x q; c = measure q[0]; if (c) {{ delay[20us] q[1]; }}"
    assert values(executor, idle, program, [{"ZI": 1}]) == pytest.approx([1 - 2 * np.exp(-20 / 50)], abs=EXACT)


def test_measured_qubit_has_no_x_also_where_a_swap_was_left_out(executor: Executor) -> None:
    """After the measurement of q[0] a swap gives its place to q[1], whatever becomes of it on the device."""
    program = f"{HEAD}qubit[2] q; bit c; h q; c = measure q[0]; swap q[0], q[1];"
    for level in range(4):
        for noise in (True, False):
            request = observing(IDEAL["line"], program, [{"XI": 1}, {"IX": 1}], optimization_level=level, noise=noise)
            assert executor.run(request).expectation_values == pytest.approx([0, 1], abs=EXACT)


def test_warning_of_a_measured_qubit_names_that_of_the_program(executor: Executor) -> None:
    program = f"{HEAD}qubit[2] q; bit c; h q; c = measure q[1];"
    for layout in (None, (4, 0)):
        request = observing(LINE, program, [{"XI": 1}, {"IX": 1}], noise=False, initial_layout=layout)
        result = executor.run(request)
        assert result.expectation_values == pytest.approx([0, 1], abs=EXACT)
        [warning] = result.profile.warnings
        assert warning.code is WarningCode.OBSERVABLE_MEASURED
        assert "here 1:" in warning.message


def test_physical_qubits_are_the_letters(executor: Executor) -> None:
    """A label has a letter for each qubit up to the last one that the program names."""
    program = f"{HEAD}x $3; h $1;"
    for level in range(4):
        terms = [{"ZIII": 1}, {"IIXI": 1}, {"IZIZ": 1}]
        found = values(executor, IDEAL["line"], program, terms, optimization_level=level)
        assert found == pytest.approx([-1, 1, 1], abs=EXACT)


def test_letters_must_fit_the_program_and_not_the_device(executor: Executor) -> None:
    with pytest.raises(ObservablesInvalid, match="have 5 letters, and the circuit has 2 qubits"):
        executor.run(observing(LINE, f"{HEAD}qubit[2] q; h q;", [{"ZIIII": 1}]))


@pytest.mark.parametrize("level", range(4))
def test_estimates_are_within_their_standard_errors(executor: Executor, level: int) -> None:
    """A device without errors: estimates of exact values, with standard errors of their sample."""
    for number in range(4):
        qubits = 2 + number % 3
        circuit, operators = permuted(number, qubits), random_observables(number, qubits)
        more = {"optimization_level": level, "initial_layout": layout_of(LINE, number, qubits), "shots": 4000}
        exact = values(executor, IDEAL["line"], circuit, operators, **more)
        request = observing(IDEAL["line"], circuit, operators, of_task={"sampled": True}, **more)
        result = executor.run(request)
        assert result.expectation_values is not None
        assert result.standard_errors is not None
        for value, error, expected in zip(result.expectation_values, result.standard_errors, exact, strict=True):
            assert abs(value - expected) < 6 * error + 1e-9  # type: ignore[operator]


def misread(qubit: int) -> Device:
    document: Any = IDEAL["line"].as_json()
    document["qubits"][qubit] |= {"p01": 0.2, "p10": 0.3}
    return device_from_json(document)


def test_readout_errors_are_those_of_the_qubit_at_the_end(executor: Executor) -> None:
    """An estimate of Z is misread on the qubit of the device where the program's qubit ends."""
    program = f"{HEAD}qubit[2] q; x q[0]; swap q[0], q[1];"
    for level in range(4):
        for place in (1, 2, 3):
            request = observing(
                misread(place),
                program,
                [{"ZI": 1}, {"IZ": 1}],
                of_task={"sampled": True},
                shots=4000,
                optimization_level=level,
                initial_layout=(3, 1),
            )
            result = executor.run(request)
            assert result.profile.placement is not None
            final = list(result.profile.placement.final_layout)
            # q[1] is 1 at the end, and q[0] is 0.
            expected = [-0.4 if final[1] == place else -1.0, 0.6 if final[0] == place else 1.0]
            assert result.expectation_values == pytest.approx(expected, abs=0.1)
            mitigated = {"sampled": True, "mitigation": Mitigation(readout=True)}
            again = observing(
                misread(place),
                program,
                [{"ZI": 1}, {"IZ": 1}],
                of_task=mitigated,
                shots=4000,
                optimization_level=level,
                initial_layout=(3, 1),
            )
            assert executor.run(again).expectation_values == pytest.approx([-1.0, 1.0], abs=0.15)


def test_bases_are_measured_with_gates_of_the_device(executor: Executor) -> None:
    """What turns X into Z has the errors of the device's gates: it depolarizes with each sx."""
    document: Any = IDEAL["line"].as_json()
    for gate in document["gates"]:
        if gate["name"] == "sx":
            gate["error"] = 0.05
    device = device_from_json(document)
    program = f"{HEAD}qubit q; bit b; b = measure q; if (b) {{ x q; }}"
    request = observing(device, program, [{"X": 1}, {"Z": 1}], of_task={"sampled": True}, shots=4000)
    inspected = executor.inspect(Request(request.spec, command=Command.INSPECT))
    assert inspected.failure is None
    turned = f"{HEAD}qubit q; sx q; sx q; x q; rz(pi/2) q; sx q; rz(pi/2) q;"
    result = executor.run(
        observing(device, turned, [{"X": 1}], of_task={"sampled": True}, shots=20_000, optimization_level=0)
    )
    # Four gates of the error 0.05, each of which leaves 0.9 of the state, whatever its angles are.
    assert result.expectation_values == pytest.approx([0.9**4], abs=0.03)


def test_device_without_gates_for_a_basis(executor: Executor) -> None:
    bare = device_of(one_qubit=("id", "rz"), noisy=False)
    request = observing(bare, f"{HEAD}qubit q; rz(0.3) q;", [{"X": 1}], of_task={"sampled": True})
    with pytest.raises(DeviceMismatch, match="no gates on qubit"):
        executor.run(request)
    assert values(executor, bare, f"{HEAD}qubit q; rz(0.3) q;", [{"Z": 1}]) == [1.0]


@pytest.mark.parametrize("folding", Folding)
@pytest.mark.parametrize("two_qubit", ["cx", "ecr", "cz", "rzz"])
def test_extrapolation_folds_gates_of_the_device(executor: Executor, folding: Folding, two_qubit: str) -> None:
    """The inverse of sx is none of the device's gates; factors are reached, and values lead to those without errors."""
    document: Any = device_of(RING_EDGES, two_qubit=two_qubit).as_json()
    for gate in document["gates"]:
        gate["error"] = gate.get("error", 0.0) / 10
    device = device_from_json(document)
    circuit = permuted(3, 3)
    zne = ZeroNoise(scale_factors=(1.0, 3.0, 5.0), extrapolation=Extrapolation.POLYNOMIAL, folding=folding)
    operators = random_observables(7, 3)
    request = observing(device, circuit, operators, of_task={"mitigation": Mitigation(zne=zne)})
    result = executor.run(request)
    plain = values(executor, device, circuit, operators)
    exact = [Statevector(circuit).expectation_value(operator).real for operator in operators]
    assert result.mitigation is not None
    details: Any = result.mitigation["zne"]
    assert details["scale_factors"] == [1.0, 3.0, 5.0]
    assert details["values"][0] == pytest.approx(plain, abs=EXACT)
    for mitigated, unmitigated, expected in zip(result.expectation_values or (), plain, exact, strict=True):
        assert abs(mitigated - expected) < 0.5 * abs(unmitigated - expected) + 1e-3


def test_folded_circuits_are_the_same_program(executor: Executor) -> None:
    for folding in Folding:
        zne = ZeroNoise(scale_factors=(1.0, 2.2, 3.0), folding=folding)
        for number in range(4):
            circuit, operators = permuted(number, 3), random_observables(number, 3)
            request = observing(IDEAL["directed ring"], circuit, operators, of_task={"mitigation": Mitigation(zne=zne)})
            details: Any = executor.run(request).mitigation
            exact = [Statevector(circuit).expectation_value(operator).real for operator in operators]
            for of_factor in details["zne"]["values"]:
                assert of_factor == pytest.approx(exact, abs=EXACT)


def test_sweep_has_the_place_of_each_point(executor: Executor) -> None:
    """Angles decide what the transpiler leaves out, so that qubits end elsewhere at another point."""
    program = f"""{HEAD}input float theta; qubit[4] q; x q[2]; rx(theta) q[0];
    cx q[0], q[3]; rzz(theta) q[1], q[3]; swap q[0], q[2]; cx q[1], q[2];"""
    for level in range(4):
        request = observing(
            LINE,
            program,
            [{"IIIZ": 1}, {"IZII": 1}, {"ZIII": 1}],
            inputs={"theta": [0.0, np.pi, 0.7]},
            optimization_level=level,
            noise=False,
            initial_layout=(4, 0, 2, 1),
        )
        found: Any = executor.run(request).expectation_values
        for value, theta in zip(found, (0.0, np.pi, 0.7), strict=True):
            assert value == pytest.approx([-1, np.cos(theta), np.cos(theta)], abs=EXACT)


def test_inspection_of_values(executor: Executor) -> None:
    program, operators = f"{HEAD}qubit[3] q; h q; cx q[0], q[2];", [{"ZIX": 1}]
    request = observing(LINE, program, operators, command=Command.INSPECT)
    found, ran = executor.inspect(request), executor.run(request)
    assert isinstance(ran, RunResult)
    assert found.failure is None
    assert (found.method, found.placement) == (ran.profile.method, ran.profile.placement)
    assert found.estimated_seconds is not None


def test_program_of_another_dialect_is_not_measured_for_observables(executor: Executor) -> None:
    """Amazon Braket measures all qubits of a program that measures none; values are those of the state before."""
    program = "OPENQASM 3.0; qubit[2] q; h q[0]; cnot q[0], q[1];"
    assert values(executor, IDEAL["line"], program, [{"XX": 1}]) == pytest.approx([1], abs=EXACT)


def test_same_operator_by_another_path_of_qiskit(executor: Executor) -> None:
    """`apply_layout` of Qiskit moves an operator as the simulator moves it, for a circuit that routing changes."""
    circuit = QuantumCircuit(QuantumRegister(4), ClassicalRegister(1))
    for one in range(4):
        for other in range(one):
            circuit.cx(one, other)
            circuit.ry(0.3 * (one + 1), other)
    operator = SparsePauliOp.from_list([("XIZY", 0.7), ("ZZII", -0.4)])
    for level in range(4):
        request = observing(IDEAL["line"], circuit, [operator], optimization_level=level, initial_layout=(3, 0, 4, 1))
        placed = DevicePrograms(LIMITS).placer(request.spec, DEFAULT_PROJECT)({}).transpiled.circuit
        bare = placed.remove_final_measurements(inplace=False)
        expected = Statevector(bare).expectation_value(operator.apply_layout(placed.layout)).real
        assert executor.run(request).expectation_values == pytest.approx([expected], abs=EXACT)

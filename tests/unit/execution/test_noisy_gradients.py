"""Gradients with noise and from shots: against differences of values, by Aer's density matrices, and of samples."""

import json
import random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, amplitude_damping_error, depolarizing_error

from ketline.domain.circuits.method import Method
from ketline.domain.errors import ExecutionFailed, GradientInvalid, ObservablesInvalid, ProgramUnsupported
from ketline.domain.results.gradients import GradientMethod
from ketline.domain.results.mitigation import Mitigation
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from tests.blocks import long_after, numbers
from tests.unit.execution.random_gradient_programs import random_program
from tests.unit.execution.test_gradients import (
    HEAD,
    as_inputs,
    drawn_values,
    flattened,
    labels,
    outcome,
    result,
)

NOISE = [
    {"name": "depolarizing", "one_qubit": 0.01, "two_qubit": 0.03},
    {"name": "thermal_relaxation", "t1_us": 10, "t2_us": 8, "one_qubit_ns": 35, "two_qubit_ns": 300},
]
STEP = 1e-3


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=256 << 20))


def value(executor: Executor, text: str, inputs: Any, observables: Any) -> Any:
    """The exact values with noise, of a task without a gradient."""
    options = RunOptions(observables=tuple(observables), noise=NOISE)
    spec = TaskSpec(circuit=HEAD + text, shots=1, inputs=inputs, options=options)
    return np.array(executor.run(Request(spec)).expectation_values)


def differences(executor: Executor, text: str, values: dict[str, float], name: str, observables: Any) -> Any:
    """Central differences of fourth order of the values with noise."""
    near, far = (
        value(executor, text, as_inputs({**values, name: values[name] + size}), observables)
        - value(executor, text, as_inputs({**values, name: values[name] - size}), observables)
        for size in (STEP, 2 * STEP)
    )
    return (8 * near - far) / (12 * STEP)


@pytest.mark.parametrize("block", long_after(1, range(8)))
def test_gradient_is_that_of_the_values_with_noise(executor: Executor, block: int) -> None:
    """Programs with everything that gradients have; those whose gates are others while angles are open are rejected."""
    differentiated = 0
    for seed in numbers(block, 24):
        program, draw = random_program(seed, flat=False), random.Random(-1 - seed)
        values, observables = drawn_values(draw), [labels(draw, program.qubits) for _ in range(2)]
        found = outcome(executor, program.text, as_inputs(values), observables, noise=NOISE)
        if isinstance(found, GradientInvalid):
            assert "written in other gates" in found.message
            continue
        differentiated += 1
        assert found.expectation_values == pytest.approx(value(executor, program.text, as_inputs(values), observables))
        for name in values:
            expected = differences(executor, program.text, values, name, observables)
            assert [flattened(one)[name] for one in found.gradients] == pytest.approx(expected, abs=1e-7)
        assert found.gradient_standard_errors is None
    assert differentiated > 1


@pytest.mark.parametrize("name", ["rx", "ry", "rz", "p", "u1", "u2", "u3", "u", "r", "rxx", "ryy", "rzz", "rzx", "cp"])
def test_each_gate_against_aer(executor: Executor, name: str) -> None:
    """Errors of the gate alone, which amplitude damping does not commute with, in Aer's own density matrices."""
    gate: Any = get_standard_gate_name_mapping()[name]
    parameters = [Parameter(f"a{number}") for number in range(len(gate.params))]
    circuit = QuantumCircuit(2)
    for qubit in (0, 1):
        circuit.h(qubit)
        circuit.t(qubit)
    circuit.append(gate.base_class(*parameters), range(gate.num_qubits))
    circuit.ry(0.4, 0)
    circuit.cx(0, 1)
    model = NoiseModel()
    damping = amplitude_damping_error(0.15)
    model.add_all_qubit_quantum_error(damping if gate.num_qubits == 1 else damping.tensor(damping), name)
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), "cx")
    noise = {"model": {"errors": [_plain(one) for one in model.to_dict(serializable=True)["errors"]]}}
    operator = SparsePauliOp.from_list([("XY", 0.7), ("ZI", 1.0), ("IX", -0.4)])
    inputs = {one.name: 0.3 + 0.5 * number for number, one in enumerate(parameters)}
    terms = {label: float(factor.real) for label, factor in operator.to_list()}
    found = result(executor, circuit, inputs, [terms], noise=noise)

    def by_aer(values: dict[str, float]) -> float:
        bound = circuit.assign_parameters({one: values[one.name] for one in parameters})
        bound.save_expectation_value(operator, [0, 1])
        simulator = AerSimulator(method="density_matrix", fusion_enable=False, max_parallel_threads=1)
        return float(simulator.run(bound, noise_model=model, shots=1).result().data()["expectation_value"])

    assert found.expectation_values == pytest.approx([by_aer(inputs)], abs=1e-9)
    for one in inputs:
        near, far = (
            by_aer({**inputs, one: inputs[one] + size}) - by_aer({**inputs, one: inputs[one] - size})
            for size in (STEP, 2 * STEP)
        )
        assert found.gradients[0][one] == pytest.approx((8 * near - far) / (12 * STEP), abs=1e-7)


def _plain(error: Any) -> Any:
    """An error of Aer's as a request has it: without numpy's numbers and its name."""
    return {name: part for name, part in json.loads(json.dumps(error, default=_as_list)).items() if name != "id"}


def _as_list(numbers: Any) -> Any:
    return [[float(number.real), float(number.imag)] for number in np.ravel(numbers)]


PROGRAM = """input float a; input array[float, 2] c; qubit[2] q; rx(2 * a) q[0]; ry(c[0]) q[1]; cx q[0], q[1];
    rz(a * c[1]) q[1]; rx(a) q[1];"""
INPUTS: Inputs = {"a": 0.4, "c": {"array": [0.7, -0.3]}}
OBSERVABLES = [{"ZZ": 1.0, "XI": 0.5}, {"IY": -1.0}, {"II": 3.0}]


@pytest.mark.parametrize("noise", [None, NOISE])
def test_estimates_are_within_their_standard_errors(executor: Executor, noise: Any) -> None:
    """Fifty samples of ten derivatives: their deviations are those that the standard errors say."""
    exact = result(executor, PROGRAM, INPUTS, OBSERVABLES, noise=noise)
    expected = [flattened(one) for one in exact.gradients]
    deviations: list[float] = []
    for seed in range(40):
        found = result(executor, PROGRAM, INPUTS, OBSERVABLES, noise=noise, sampled=True, seed=seed, shots=400)
        for gradient, errors, right in zip(found.gradients, found.gradient_standard_errors, expected, strict=True):
            for name, error in flattened(errors).items():
                difference = flattened(gradient)[name] - right[name]
                if right == expected[2]:
                    assert error == 0
                    assert abs(difference) < 1e-12
                    continue
                assert abs(difference) < 7 * error
                deviations.append(difference / error)
    assert np.mean(np.square(deviations)) == pytest.approx(1, abs=0.25)


def test_same_seed_gives_the_same_gradient(executor: Executor) -> None:
    first, again, other = (
        result(executor, PROGRAM, INPUTS, OBSERVABLES, sampled=True, seed=seed, shots=100).gradients
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_sweep_has_a_gradient_at_each_point(executor: Executor) -> None:
    program, observables = "input float a; qubit q; ry(a) q;", [{"Z": 1.0}]
    noise = {"name": "depolarizing", "one_qubit": 0.1}
    found = result(executor, program, {"a": [0.2, 0.9]}, observables, noise=noise)
    assert [one[0]["a"] for one in found.gradients] == pytest.approx([-0.9 * np.sin(0.2), -0.9 * np.sin(0.9)])
    sampled = result(executor, program, {"a": [0.2, 0.9]}, observables, noise=noise, sampled=True, seed=1, shots=20_000)
    assert [one[0]["a"] for one in sampled.gradients] == pytest.approx(
        [-0.9 * np.sin(0.2), -0.9 * np.sin(0.9)], abs=0.05
    )
    assert all(0 < one[0]["a"] < 0.01 for one in sampled.gradient_standard_errors)


def test_readout_errors_show_in_estimates_only(executor: Executor) -> None:
    noise = {"name": "readout", "p01": 0.1, "p10": 0.1}
    program, observables = "input float a; qubit q; ry(a) q;", [{"Z": 1.0}]
    exact = result(executor, program, {"a": 1.0}, observables, noise=noise).gradients[0]["a"]
    sampled = result(executor, program, {"a": 1.0}, observables, noise=noise, sampled=True, seed=1, shots=50_000)
    assert exact == pytest.approx(-np.sin(1.0))
    assert sampled.gradients[0]["a"] == pytest.approx(-0.8 * np.sin(1.0), abs=0.03)


def test_method_and_number_of_evaluations_are_said(executor: Executor) -> None:
    found = result(executor, PROGRAM, INPUTS, OBSERVABLES, noise=NOISE)
    reason = found.profile.method_reason
    assert reason.startswith("the parameter-shift rule for 4 angles, 8 evaluations: exact values")
    assert found.profile.method == Method.DENSITY_MATRIX
    inspected = outcome(executor, PROGRAM, INPUTS, OBSERVABLES, noise=NOISE, command=Command.INSPECT)
    assert isinstance(inspected, Inspection)
    assert inspected.failure is None
    assert inspected.method == Method.DENSITY_MATRIX


@pytest.mark.parametrize(
    ("program", "options", "error", "words"),
    [
        (PROGRAM, {"by": GradientMethod.ADJOINT}, ProgramUnsupported, "choose 'parameter_shift'"),
        (PROGRAM, {"mitigation": Mitigation(readout=True)}, ProgramUnsupported, "mitigated"),
        ("input float a; qubit[2] q; bit c; rx(a) q[0]; c = measure q[0];", {}, ObservablesInvalid, "gates only"),
        ("input float a; qubit[2] q; rx(a) q[0]; reset q[0];", {}, ObservablesInvalid, "gates only"),
    ],
)
def test_what_has_no_gradient(
    executor: Executor, program: str, options: Any, error: type[ExecutionFailed], words: str
) -> None:
    inputs: Inputs = INPUTS if program == PROGRAM else {"a": 0.4}
    for command in (Command.RUN, Command.INSPECT):
        found = outcome(executor, program, inputs, [{"ZZ": 1.0}], noise=NOISE, command=command, **options)
        if isinstance(found, Inspection):
            assert found.failure is not None
            assert words in found.failure.message
        else:
            assert isinstance(found, error), found
            assert words in found.message

"""Gradients on devices: of the transpiled circuit, by the program's inputs, against Qiskit and Aer alone."""

import random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveExpectationValue
from qiskit_aer.noise import NoiseModel

from ketline.domain.errors import DeviceMismatch, GradientInvalid, ObservablesInvalid, ProgramUnsupported
from ketline.domain.results.gradients import Gradient, GradientMethod
from ketline.domain.results.result import RunResult
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.protocol.responses import decode_response, encode_response
from tests.blocks import long_after, numbers
from tests.circuits import terms_of
from tests.devices import RING_EDGES, backend_of, device_of, request_on
from tests.outcomes import random_observables
from tests.unit.execution.devices.test_values_on_devices import IDEAL, LINE, even, layout_of

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
STEP = 1e-3
RING = device_of(RING_EDGES, two_qubit="ecr")


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=256 << 20))


def result(executor: Executor, device: Any, program: Any, inputs: Any, operators: Any, **more: Any) -> RunResult:
    gradient = more.pop("gradient", Gradient())
    of_task = {"observables": tuple(map(terms_of, operators)), "gradient": gradient, **more.pop("of_task", {})}
    request = request_on(device, program, inputs=inputs, of_task=of_task, **more)
    outcome: Any = decode_response(encode_response(executor.respond(request), request), request).outcome
    if isinstance(outcome, Exception):
        raise outcome
    assert isinstance(outcome, RunResult)
    return outcome


def difference(value: Any, at: float) -> float:
    """The central difference of fourth order of a function at a place."""
    near, far = (value(at + size) - value(at - size) for size in (STEP, 2 * STEP))
    return float((8 * near - far) / (12 * STEP))


def ansatz(number: int, qubits: int) -> QuantumCircuit:
    """Rotations by expressions of parameters, swaps, and gates on two qubits in random places."""
    choose, circuit = random.Random(number), QuantumCircuit(qubits)
    a, b = Parameter("a"), Parameter("b")
    angles = [a, 2 * b, a * b, a + 0.3, -b / 2]
    for _ in range(6):
        getattr(circuit, choose.choice(["rx", "ry", "rz", "p"]))(choose.choice(angles), choose.randrange(qubits))
        if qubits > 1:
            pair = choose.sample(range(qubits), 2)
            kind = choose.choice(["cx", "swap", "rzz", "h"])
            if kind == "rzz":
                circuit.rzz(choose.choice(angles), *pair)
            elif kind == "h":
                circuit.h(pair[0])
            else:
                getattr(circuit, kind)(*pair)
    circuit.rx(a, 0)
    circuit.ry(b, qubits - 1)
    return circuit


class OfAer:
    """The values of a circuit that Qiskit transpiled with its parameters, by Aer with its own model of the device."""

    def __init__(self, device: Any, transpiled: Any) -> None:
        self._transpiled = transpiled
        self._model = NoiseModel.from_backend(backend_of(device))
        self._simulator = AerSimulator(method="density_matrix", max_parallel_threads=1, fusion_enable=False)

    def value(self, values: dict[str, float], operator: Any) -> float:
        circuit = self._transpiled
        bound = circuit.assign_parameters({one: values[one.name] for one in circuit.parameters})
        moved = operator.apply_layout(circuit.layout)
        bound.append(SaveExpectationValue(moved, label="value"), range(bound.num_qubits))
        return float(self._simulator.run(bound, noise_model=self._model, shots=1).result().data(0)["value"])

    def slope(self, values: dict[str, float], name: str, operator: Any) -> float:
        return difference(lambda at: self.value({**values, name: at}, operator), values[name])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", [even(LINE), even(RING)], ids=["line", "ring"])
@pytest.mark.parametrize("block", long_after(1, range(8)))
def test_gradient_is_that_of_the_transpiled_circuit_by_aer(executor: Executor, device: Any, block: int) -> None:
    for number in numbers(block, 8):
        qubits, level = 1 + number % 3, number % 4
        circuit, operators = ansatz(number, qubits), random_observables(number, qubits, 2)
        layout, inputs = layout_of(device, number, qubits), {"a": 0.4, "b": -0.7}
        transpiled = generate_preset_pass_manager(
            optimization_level=level,
            target=backend_of(device).target,
            initial_layout=None if layout is None else list(layout),
            seed_transpiler=0,
        ).run(circuit)
        aer = OfAer(device, transpiled)
        found: Any = result(
            executor, device, circuit, inputs, operators, optimization_level=level, initial_layout=layout
        )
        for index, operator in enumerate(operators):
            assert found.expectation_values[index] == pytest.approx(aer.value(inputs, operator), abs=1e-9)
            for name in inputs:
                assert found.gradients[index][name] == pytest.approx(aer.slope(inputs, name, operator), abs=1e-7)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("name", ["line", "directed ring", "rzz", "heavy-hex-57"])
def test_gradient_on_an_ideal_device_is_that_of_the_program(executor: Executor, name: str, level: int) -> None:
    """Also as text with arrays and expressions, wherever routing moves its qubits."""
    program = f"""{HEAD}input float a; input array[float, 2] c; qubit[4] q; rx(2 * a) q[0]; h q[2];
    for int k in [1:3] {{ cx q[0], q[k]; ry(a * k) q[k]; }} swap q[0], q[3]; rz(c[0]) q[1]; crx(c[1]) q[1], q[2];"""
    a, c0, c1 = Parameter("a"), Parameter("c0"), Parameter("c1")
    circuit = QuantumCircuit(4)
    circuit.rx(2 * a, 0)
    circuit.h(2)
    for qubit in (1, 2, 3):
        circuit.cx(0, qubit)
        circuit.ry(a * qubit, qubit)
    circuit.swap(0, 3)
    circuit.rz(c0, 1)
    circuit.crx(c1, 1, 2)
    values = {"a": 0.3, "c0": 0.8, "c1": -0.5}
    operator = SparsePauliOp.from_list([("ZXIY", 0.7), ("IZZI", 1.0), ("XIIZ", -0.3)])

    def value(**given: float) -> float:
        bound = circuit.assign_parameters({a: given["a"], c0: given["c0"], c1: given["c1"]})
        return float(Statevector(bound).expectation_value(operator).real)

    layout = (0, 3, 1, 2) if level % 2 else None
    inputs = {"a": 0.3, "c": {"array": [0.8, -0.5]}}
    more = {"optimization_level": level, "initial_layout": layout, "noise": False}
    found = result(executor, IDEAL[name], program, inputs, [operator], **more)
    slopes = {one: difference(lambda at, one=one: value(**{**values, one: at}), values[one]) for one in values}
    assert found.expectation_values == pytest.approx([value(**values)], abs=1e-9)
    gradients: Any = found.gradients
    derivatives = gradients[0]
    assert derivatives["a"] == pytest.approx(slopes["a"], abs=1e-7)
    assert derivatives["c"] == pytest.approx([slopes["c0"], slopes["c1"]], abs=1e-7)
    assert found.profile.placement is not None


def test_estimates_have_standard_errors(executor: Executor) -> None:
    circuit = efficient_su2(3, reps=1)
    inputs = {f"θ[{number}]": 0.1 * number for number in range(circuit.num_parameters)}
    operators = random_observables(3, 3, 1)
    exact = result(executor, LINE, circuit, inputs, operators)
    sampled = result(executor, LINE, circuit, inputs, operators, of_task={"sampled": True}, shots=2000)
    results: Any = (exact.gradients, sampled.gradients, sampled.gradient_standard_errors)
    right, found, errors = (one[0] for one in results)
    readout = 0.3  # what readout errors and the turns of bases may take
    for name, slope in right.items():
        assert 0 < errors[name] < 0.1
        assert abs(found[name] - slope) < 6 * errors[name] + readout * abs(slope) + 0.02


def test_sweep_and_chosen_inputs(executor: Executor) -> None:
    program = f"{HEAD}input float a; input float b; qubit[2] q; ry(a) q[0]; rx(b) q[1]; swap q[0], q[1];"
    found = result(
        executor,
        IDEAL["line"],
        program,
        {"a": [0.2, 0.9], "b": 0.1},
        [SparsePauliOp("ZI")],
        gradient=Gradient(inputs=("a",)),
        optimization_level=3,
    )
    points: Any = found.gradients
    assert [list(one[0]) for one in points] == [["a"], ["a"]]
    assert [one[0]["a"] for one in points] == pytest.approx([-np.sin(0.2), -np.sin(0.9)], abs=1e-9)


@pytest.mark.parametrize(
    ("program", "options", "error", "words"),
    [
        ("input float a; qubit q; rx(a) q;", {"gradient": Gradient(method=GradientMethod.ADJOINT)}, None, "shift"),
        ("input float a; qubit q; bit c; rx(a) q; c = measure q;", {}, ObservablesInvalid, "gates only"),
        ("input float a; qubit q; bit c; if (a > 1.0) { x q; }", {}, GradientInvalid, "a"),
        ("input float a; qubit[6] q; rx(a) q;", {}, DeviceMismatch, "has 6 qubits"),
    ],
)
def test_what_has_no_gradient_on_a_device(
    executor: Executor, program: str, options: Any, error: Any, words: str
) -> None:
    operator = SparsePauliOp("Z" * (6 if "[6]" in program else 1))
    with pytest.raises(error or ProgramUnsupported, match=words):
        result(executor, LINE, HEAD + program, {"a": 0.4}, [operator], **options)


def test_inspection_of_a_gradient(executor: Executor) -> None:
    circuit, operators = ansatz(5, 3), random_observables(1, 3, 1)
    of_task = {"observables": tuple(map(terms_of, operators)), "gradient": Gradient()}
    request = request_on(LINE, circuit, inputs={"a": 0.1, "b": 0.2}, of_task=of_task)
    ran = executor.run(request)
    found = executor.inspect(Request(request.spec, command=Command.INSPECT))
    assert found.failure is None
    assert (found.method, found.placement) == (ran.profile.method, ran.profile.placement)
    assert "evaluations" in (ran.profile.method_reason or "")

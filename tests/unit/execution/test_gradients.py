"""Gradients of tasks, against differences of Qiskit's states, analytic derivatives by numpy, and the other method."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit.circuit.library import PhaseGate, RXGate, efficient_su2
from qiskit.quantum_info import SparsePauliOp, Statevector

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.backend import Engine
from ketline.domain.errors import ExecutionFailed, GradientInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.gradients import Gradient, GradientMethod
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.checked_gradients import checked_gradients
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request, decode_request, encode_request
from ketline.execution.protocol.responses import decode_response, encode_response
from tests.blocks import long_after
from tests.circuits import as_qpy
from tests.unit.execution.random_gradient_programs import RandomProgram, random_program

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
LIMITS = ExecutionLimits(memory_bytes=64 << 20, max_result_bytes=1 << 20)
ADJOINT, SHIFT = GradientMethod.ADJOINT, GradientMethod.PARAMETER_SHIFT
STEP = 1e-3
TOLERANCE = 1e-8


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


@pytest.fixture(scope="module")
def without_lightning() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=64 << 20, lightning=False))


def outcome(
    executor: Executor,
    program: Any,
    inputs: Inputs,
    observables: Any,
    *,
    names: Sequence[str] | None = None,
    by: GradientMethod = GradientMethod.AUTOMATIC,
    command: Command = Command.RUN,
    shots: int = 1,
    **options: Any,
) -> Any:
    """What a worker gets for a program, a circuit of Qiskit's or text, after both ways over the wire."""
    form = ProgramFormat.OPENQASM3 if isinstance(program, str) else ProgramFormat.QPY
    gradient = Gradient(inputs=None if names is None else tuple(names), method=by)
    run = RunOptions(observables=tuple(observables), gradient=gradient, **{"format": form, **options})
    text = HEAD + program if isinstance(program, str) else as_qpy(program)
    if run.format is ProgramFormat.OPENQASM2:
        text = program
    spec = TaskSpec(circuit=text, shots=shots, inputs=inputs, options=run)
    sent = decode_request(encode_request(Request(spec, "t", command=command)))
    return decode_response(encode_response(executor.respond(sent), sent), sent).outcome


def result(*given: Any, **more: Any) -> Any:
    found = outcome(*given, **more)
    assert isinstance(found, RunResult), found
    return found


def gradients(*given: Any, **more: Any) -> Any:
    return result(*given, **more).gradients


def labels(draw: random.Random, qubits: int) -> dict[str, float]:
    """A random sum of Pauli operators."""
    return {"".join(draw.choices("IXYZ", k=qubits)): round(draw.uniform(-2, 2), 3) for _ in range(draw.randint(1, 5))}


def value_in(circuit: QuantumCircuit, observable: Mapping[str, float]) -> float:
    operator = SparsePauliOp.from_list(list(observable.items()))
    return float(np.real(Statevector(circuit).expectation_value(operator)))


def differences(
    program: RandomProgram, values: Mapping[str, float], observable: Mapping[str, float]
) -> dict[str, float]:
    """Central differences of fourth order of what Qiskit's state gives."""

    def value(name: str, shift: float) -> float:
        return value_in(program.circuit({**values, name: values[name] + shift}), observable)

    found = {}
    for name in values:
        near, far = (value(name, size) - value(name, -size) for size in (STEP, 2 * STEP))
        found[name] = (8 * near - far) / (12 * STEP)
    return found


def flattened(gradient: Mapping[str, Any]) -> dict[str, float]:
    """The derivatives by the text that names an input or an element of one."""
    found: dict[str, float] = {}
    for name, value in gradient.items():
        if isinstance(value, list):
            found |= {f"{name}[{index}]": element for index, element in enumerate(value)}
        else:
            found[name] = value
    return found


def drawn_values(draw: random.Random) -> dict[str, float]:
    return {name: draw.uniform(-1, 1) for name in ("a", "b", "c[0]", "c[1]", "d")}


def as_inputs(values: Mapping[str, float]) -> Inputs:
    array = [values["c[0]"], values["c[1]"]]
    return {"a": values["a"], "b": values["b"], "c": {"array": array}, "d": values["d"]}


@pytest.mark.parametrize("seed", long_after(15, range(100)))
def test_programs_with_everything(executor: Executor, seed: int) -> None:
    program, draw = random_program(seed, flat=False), random.Random(-1 - seed)
    values, observables = drawn_values(draw), [labels(draw, program.qubits) for _ in range(2)]
    found = result(executor, program.text, as_inputs(values), observables)
    assert found.profile.tier == "unroller"
    shifted = gradients(executor, program.text, as_inputs(values), observables, by=SHIFT)
    for number, observable in enumerate(observables):
        expected = differences(program, values, observable)
        assert flattened(found.gradients[number]) == pytest.approx(expected, abs=TOLERANCE)
        assert flattened(shifted[number]) == pytest.approx(expected, abs=TOLERANCE)
        assert found.expectation_values[number] == pytest.approx(
            value_in(program.circuit(values), observable), abs=1e-10
        )


FLAT_DECLARED = "input float a; input float[64] b; "


@pytest.mark.parametrize("seed", long_after(15, range(1000, 1120)))
def test_flat_programs(executor: Executor, seed: int) -> None:
    program, draw = random_program(seed, flat=True), random.Random(-1 - seed)
    values = {name: draw.uniform(-1, 1) for name in ("a", "b")}
    observables = [labels(draw, program.qubits) for _ in range(2)]
    text = program.text[program.text.index("gate mine") :]
    found = result(executor, "input float a; input float b; " + text, values, observables)
    shifted = gradients(executor, FLAT_DECLARED + text, values, observables, by=SHIFT)
    for number, observable in enumerate(observables):
        expected = differences(program, values, observable)
        assert found.gradients[number] == pytest.approx(expected, abs=TOLERANCE)
        assert shifted[number] == pytest.approx(expected, abs=TOLERANCE)


def test_most_flat_programs_are_read_by_the_scanner(executor: Executor) -> None:
    tiers = []
    for seed in range(1000, 1040):
        program = random_program(seed, flat=True)
        text = "input float a; input float b; " + program.text[program.text.index("gate mine") :]
        tiers.append(result(executor, text, {"a": 0.1, "b": 0.2}, [{"Z" * program.qubits: 1}]).profile.tier)
    assert tiers.count("scanner") > 10


PAULIS = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}


def on(qubits: int, letters: Mapping[int, str]) -> Any:
    """A product of Pauli matrices on some qubits, by plain numpy."""
    product: Any = np.eye(1)
    for qubit in reversed(range(qubits)):
        product = np.kron(product, PAULIS[letters.get(qubit, "I")])
    return product


@pytest.mark.parametrize("seed", long_after(13, range(40)))
def test_analytic_derivatives_by_numpy(executor: Executor, seed: int) -> None:
    """Rotations by Pauli products, whose derivatives are products of matrices with one generator inserted."""
    draw = random.Random(seed)
    qubits, inputs = draw.randint(2, 4), {f"t{number}": draw.uniform(-3, 3) for number in range(4)}
    gates = []
    for _ in range(12):
        name = draw.choice(["rx", "ry", "rz", "rxx", "ryy", "rzz"])
        letters = dict(zip(draw.sample(range(qubits), len(name) - 1), name[1:].upper(), strict=False))
        gates.append((name, letters, draw.choice(list(inputs)), draw.choice([1, -2, 0.5])))
    text = (
        "".join(f"input float {name}; " for name in inputs)
        + f"qubit[{qubits}] q; "
        + " ".join(
            f"{name}({factor} * {of}) {', '.join(f'q[{qubit}]' for qubit in letters)};"
            for name, letters, of, factor in gates
        )
    )
    observable = labels(draw, qubits)
    matrix = sum(
        factor * on(qubits, {qubits - 1 - index: letter for index, letter in enumerate(label)})
        for label, factor in observable.items()
    )
    expected = dict.fromkeys(inputs, 0.0)
    start = np.eye(1 << qubits)[0]
    unitaries = []
    for _, letters, of, factor in gates:
        half, generator = factor * inputs[of] / 2, on(qubits, letters)
        unitaries.append(np.cos(half) * np.eye(1 << qubits) - 1j * np.sin(half) * generator)
    state = start
    for unitary in unitaries:
        state = unitary @ state
    for place, (_, letters, of, factor) in enumerate(gates):
        turned = start
        for number, unitary in enumerate(unitaries):
            turned = unitary @ turned
            if number == place:
                turned = -0.5j * factor * on(qubits, letters) @ turned
        expected[of] += float(2 * np.real(np.vdot(state, matrix @ turned)))
    used = {of for _, _, of, _ in gates}
    found = gradients(executor, text, inputs, [observable])[0]
    assert found == pytest.approx(expected, abs=1e-10)
    assert all(found[name] == 0 for name in inputs if name not in used)


def test_circuits_of_qiskit(executor: Executor) -> None:
    """Parameters by name, in any expression, also where Qiskit writes controlled gates and definitions."""
    a, b, vector = Parameter("a"), Parameter("b"), ParameterVector("v", 2)

    def build(one: Any, two: Any, three: Any, four: Any) -> QuantumCircuit:
        circuit = QuantumCircuit(3)
        circuit.h([0, 1, 2])
        circuit.rx(2 * one + 0.1, 0)
        circuit.append(PhaseGate(one * two).control(2), [0, 1, 2])
        circuit.ry(two.sin() if isinstance(two, Parameter) else np.sin(two), 1)
        circuit.append(RXGate(three - four / 2).control(1), [2, 0])
        inner = QuantumCircuit(2)
        inner.rzz(three * three, 0, 1)
        inner.ry(one / 3, 0)
        circuit.append(inner.to_gate(), [1, 2])
        return circuit

    numbers = {"a": 0.3, "b": -0.8, "v[0]": 0.9, "v[1]": 0.2}
    observable = {"XYZ": 0.5, "ZZI": -1, "IIX": 2}
    names = list(numbers)

    def value(point: Mapping[str, float]) -> float:
        return value_in(build(*[point[name] for name in names]), observable)

    expected = {}
    for name in names:
        near, far = (
            value({**numbers, name: numbers[name] + size}) - value({**numbers, name: numbers[name] - size})
            for size in (STEP, 2 * STEP)
        )
        expected[name] = (8 * near - far) / (12 * STEP)
    circuit = build(a, b, *vector)
    for by in (ADJOINT, SHIFT):
        assert gradients(executor, circuit, numbers, [observable], by=by)[0] == pytest.approx(expected, abs=TOLERANCE)
    some = gradients(executor, circuit, numbers, [observable], names=["b"])[0]
    assert some == pytest.approx({"b": expected["b"]}, abs=TOLERANCE)


def test_quotient_of_squares_of_sums(executor: Executor) -> None:
    """Qiskit's own derivative of this expression takes minutes."""
    a, b, c, d = (Parameter(name) for name in "abcd")
    circuit = QuantumCircuit(1)
    circuit.rx((a + b + c) * (a + b + c + d) / ((a - b + c) * (a - b + c) + 1.5), 0)
    numbers = {"a": 0.3, "b": -0.8, "c": 0.9, "d": 0.2}

    def value(name: str, shift: float) -> float:
        a, b, c, d = (numbers[one] + (shift if one == name else 0.0) for one in "abcd")
        return float(np.cos((a + b + c) * (a + b + c + d) / ((a - b + c) ** 2 + 1.5)))

    expected = {name: (value(name, 1e-5) - value(name, -1e-5)) / 2e-5 for name in numbers}
    assert gradients(executor, circuit, numbers, [{"Z": 1}])[0] == pytest.approx(expected, abs=1e-8)


def test_sweep_has_a_gradient_at_each_point(executor: Executor) -> None:
    text = "input float a; input float b; qubit q; rx(a) q; rz(b) q;"
    points = [0.1, 0.7, 2.0]
    found = result(executor, text, {"a": points, "b": 0.4}, [{"Z": 1}, {"Y": 2}])
    expected = [
        [
            {"a": -np.sin(a), "b": 0},
            {"a": -2 * np.cos(a) * np.cos(0.4), "b": 2 * np.sin(a) * np.sin(0.4)},
        ]
        for a in points
    ]
    assert found.expectation_values == [pytest.approx([np.cos(a), -2 * np.sin(a) * np.cos(0.4)]) for a in points]
    assert found.gradients == [[pytest.approx(one, abs=1e-12) for one in point] for point in expected]


def test_sweep_with_observables_of_each_point(executor: Executor) -> None:
    text = "input float a; qubit q; rx(a) q;"
    found = gradients(executor, text, {"a": [0.1, 0.7]}, [[{"Z": 1}], [{"Y": 1}, {"Z": 2}]])
    expected = [[-np.sin(0.1)], [-np.cos(0.7), -2 * np.sin(0.7)]]
    assert [[one["a"] for one in point] for point in found] == [pytest.approx(one) for one in expected]


def test_array_has_derivatives_in_its_shape(executor: Executor) -> None:
    text = "input array[float, 2, 2] m; qubit[4] q; ry(m[0, 0]) q[0]; ry(2 * m[0, 1]) q[1]; ry(3 * m[1, 0]) q[2];"
    values = [[0.1, 0.2], [0.3, 0.4]]
    found = gradients(executor, text, {"m": {"array": values}}, [{"IIIZ": 1}, {"IIZI": 1}, {"IZII": 1}])
    assert found[0]["m"] == [[pytest.approx(-np.sin(0.1)), 0], [0, 0]]
    assert found[1]["m"] == [[0, pytest.approx(-2 * np.sin(0.4))], [0, 0]]
    assert found[2]["m"] == [[0, 0], [pytest.approx(-3 * np.sin(0.9)), 0]]


def test_only_named_inputs_are_differentiated(executor: Executor) -> None:
    """The others may decide anything."""
    text = "input float a; input float b; input int n; qubit q; if (b > 0 && n == 2) rx(a * n + b) q;"
    found = gradients(executor, text, {"a": 0.3, "b": 0.1, "n": 2}, [{"Z": 1}], names=["a"])
    assert found == [pytest.approx({"a": -2 * np.sin(0.7)})]


def test_angles_of_any_width_are_real_numbers(executor: Executor) -> None:
    text = "input angle[24] w; input angle v; qubit q; rx(w) q; rx(2 * v) q; rx(-v) q; rx(v / 4) q;"
    found = gradients(executor, text, {"w": 0.25, "v": 0.5}, [{"Z": 1}])[0]
    total = np.sin(0.25 + 0.5 * 1.25)
    assert found == pytest.approx({"w": -total, "v": -1.25 * total}, abs=1e-6)


def test_qubits_without_an_observable_do_not_matter(executor: Executor) -> None:
    text = "input float a; input float b; qubit[60] q; ry(a) q[7]; cx q[7], q[50]; ry(b) q[3];"
    found = result(executor, text, {"a": 0.4, "b": 1.0}, [{"I" * 9 + "Z" + "I" * 50: 1}])
    assert found.gradients == [pytest.approx({"a": -np.sin(0.4), "b": 0})]
    assert found.profile.qubits == 2


def test_many_observables_in_groups(executor: Executor) -> None:
    """More than are differentiated at a time."""
    text = "input float a; input float b; qubit[3] q; ry(a) q[0]; ry(b) q[1]; cx q[0], q[2]; rxx(a * b) q[1], q[2];"
    observables = [{label: 1.0} for label in ("IIZ", "IZI", "ZII", "XXI", "YIY", "ZZZ")] * 8
    together = gradients(executor, text, {"a": 0.3, "b": 0.9}, observables)
    alone = [gradients(executor, text, {"a": 0.3, "b": 0.9}, [one])[0] for one in observables[:6]] * 8
    assert together == [pytest.approx(one, abs=1e-12) for one in alone]


def ansatz(qubits: int, layers: int) -> tuple[str, dict[str, float]]:
    """Rotations and entangling gates, as variational algorithms have them."""
    draw, gates, values = random.Random(qubits), [], {}
    for layer in range(layers):
        for qubit in range(qubits):
            name = f"t{layer}_{qubit}"
            values[name] = draw.uniform(-3, 3)
            gates.append(f"{'ry' if layer % 2 else 'rx'}({name}) q[{qubit}];")
        gates += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1)]
    declared = "".join(f"input float {name}; " for name in values)
    return declared + f"qubit[{qubits}] q; " + " ".join(gates), values


@pytest.mark.parametrize("qubits", [5, 16, 17])
def test_wide_states_by_both_methods(executor: Executor, qubits: int) -> None:
    """From 16 qubits on runs of gates are multiplied."""
    text, values = ansatz(qubits, 2)
    observable = [{"Z" * qubits: 1.0, "X" + "I" * (qubits - 2) + "Y": 0.5}]
    found = result(executor, text, values, observable)
    assert (found.profile.engine, found.profile.tier) == (Engine.LIGHTNING, "scanner")
    some = dict(list(values.items())[:3])
    shifted = gradients(executor, text, values, observable, by=SHIFT, names=list(some))[0]
    assert {name: found.gradients[0][name] for name in some} == pytest.approx(shifted, abs=1e-10)


def test_without_lightning(executor: Executor, without_lightning: Executor) -> None:
    text, values = ansatz(4, 3)
    observables = [{"ZZZZ": 1.0}, {"XIIY": 0.5}]
    found = result(without_lightning, text, values, observables)
    assert found.profile.engine == Engine.NUMPY
    expected = gradients(executor, text, values, observables)
    assert found.gradients == [pytest.approx(one, abs=1e-12) for one in expected]


def test_profile_says_which_method_and_why(executor: Executor) -> None:
    text = "input float a; qubit[2] q; rx(a) q[0]; crx(a) q[0], q[1];"
    adjoint = result(executor, text, {"a": 0.3}, [{"ZZ": 1}]).profile
    assert adjoint.method == Method.STATEVECTOR
    assert "adjoint" in adjoint.method_reason
    assert "2 angles" in adjoint.method_reason
    shift = result(executor, text, {"a": 0.3}, [{"ZZ": 1}], by=SHIFT).profile
    assert "as requested: the parameter-shift rule for 2 angles, 7 simulations" in shift.method_reason


@pytest.mark.parametrize(
    ("text", "inputs", "words"),
    [
        ("input float w; qubit q; if (w > 0) x q;", {"w": 0.3}, "comparison"),
        ("input float w; qubit q; if (w == 0.3) x q;", {"w": 0.3}, "comparison"),
        ("input float w; qubit q; if (bool(w)) x q;", {"w": 0.3}, "comparison"),
        ("input float w; qubit q; while (w > 1) { x q; }", {"w": 0.3}, "comparison"),
        ("input float w; qubit q; int n = int(w); rx(n) q;", {"w": 2.5}, "comparison"),
        ("input float w; qubit q; rx(floor(w)) q;", {"w": 2.5}, "jumps"),
        ("input float w; qubit q; rx(ceiling(w)) q;", {"w": 2.5}, "'ceiling', which has jumps"),
        ("input float w; qubit q; rx(mod(3.0, w)) q;", {"w": 2.5}, "comparison"),
        ("input angle[8] w; qubit q; if (w[3]) x q;", {"w": 2.5}, "comparison"),
        ("input angle[8] w; qubit q; rx(w << 1) q;", {"w": 2.5}, "comparison"),
        ("input float w; qubit q; rx(sqrt(w)) q;", {"w": 0.0}, "no derivative at 0"),
        ("input float w; qubit q; rx(arcsin(w)) q;", {"w": 1.0}, "no derivative at 1"),
        ("input float w; qubit q; rx(w ** 0.5) q;", {"w": 0.0}, "no derivative at the base 0"),
        ("input float w; qubit q; rx((-2.0) ** w) q;", {"w": 2.0}, "no derivative at the base -2"),
        ("input int n; qubit q; rx(n) q;", {"n": 2}, "no input of type 'float' or 'angle'"),
        ("qubit q; x q;", {}, "no input of type 'float' or 'angle'"),
        ("input float w; qubit q; pow(0.5) @ U(w, 0.1, 0.2) q;", {"w": 0.3}, "power"),
        ("input float w; qubit[4] q; pow(w) @ ctrl(3) @ x q[0], q[1], q[2], q[3];", {"w": 0.3}, "power"),
    ],
)
def test_programs_without_a_gradient(executor: Executor, text: str, inputs: Inputs, words: str) -> None:
    width = 4 if "qubit[4]" in text else 1
    found = outcome(executor, text, inputs, [{"Z" * width: 1}])
    assert type(found) is GradientInvalid, found
    assert found.code == "gradient_invalid"
    assert words in found.message


def test_rejection_has_its_place(executor: Executor) -> None:
    found = outcome(executor, "input float w; qubit q;\nif (w > 0) x q;", {"w": 0.3}, [{"Z": 1}])
    assert (found.line, found.column) == (2, 5)


def test_named_input_of_another_type(executor: Executor) -> None:
    text = "input float w; input int n; qubit q; rx(w * n) q;"
    found = outcome(executor, text, {"w": 0.3, "n": 2}, [{"Z": 1}], names=["n"])
    assert type(found) is GradientInvalid
    assert "input 'n' is of type 'int'" in found.message


def test_named_input_that_the_program_does_not_have(executor: Executor) -> None:
    for text in ("input float w; qubit q; rx(w) q;", "input float w; qubit q; for int i in [0:2] { rx(w) q; }"):
        found = outcome(executor, text, {"w": 0.3}, [{"Z": 1}], names=["v"])
        assert type(found) is GradientInvalid
        assert "names 'v'" in found.message


def test_openqasm_2_has_no_gradient(executor: Executor) -> None:
    text = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; x q[0];'
    found = outcome(executor, text, {"w": 0.1}, [{"Z": 1}], format=ProgramFormat.OPENQASM2)
    assert type(found) is GradientInvalid


@pytest.mark.parametrize(
    "text", ["bit c; c = measure q[1];", "reset q[0]; cx q[0], q[1];", "bit c; c = measure q[0]; if (c) x q[1];"]
)
def test_measurements_are_rejected(executor: Executor, text: str) -> None:
    program = f"input float w; qubit[2] q; rx(w) q[0]; cx q[0], q[1]; {text}"
    found = outcome(executor, program, {"w": 0.1}, [{"ZI": 1}])
    assert isinstance(found, ExecutionFailed)
    assert found.code == "observables_invalid"


@pytest.mark.parametrize("method", [Method.MATRIX_PRODUCT_STATE, Method.STABILIZER, Method.STIM, Method.DENSITY_MATRIX])
def test_other_methods_are_rejected(executor: Executor, method: Method) -> None:
    found = outcome(executor, "input float w; qubit q; rx(w) q;", {"w": 0.1}, [{"Z": 1}], method=method)
    assert type(found) is ProgramUnsupported
    assert method in found.message


PARAMETERS = {"a": 0.4, "b": -0.7}
A, B = Parameter("a"), Parameter("b")
EXPRESSIONS = {
    "tan": A.tan(),
    "arcsin": (A / 2).arcsin(),
    "arccos": (A * B).arccos(),
    "arctan": A.arctan() * B,
    "exp": (A * B).exp(),
    "log": (A + 2).log(),
    "abs": abs(A * B),
    "conjugate": A.conjugate() * 2,
    "power": (A + 2) ** B,
    "cube": B**3,
    "exponent": 2**A,
    "quotient": A / (B + 3),
    "inverse": 1.5 / (A + 2),
    "cancelled": A - A + B,
    "number": 0 * A - 0 * B - 1,
}


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_expressions_of_qiskit(executor: Executor, expression: Any) -> None:
    circuit = QuantumCircuit(1)
    circuit.ry(expression, 0)
    circuit.rz(A, 0)
    circuit.p(B, 0)

    def value(point: Mapping[str, float]) -> float:
        bound = circuit.assign_parameters({A: point["a"], B: point["b"]})
        return value_in(bound, {"Z": 1.0, "X": 0.5})

    expected = {}
    for name, at in PARAMETERS.items():
        near, far = (
            value({**PARAMETERS, name: at + size}) - value({**PARAMETERS, name: at - size}) for size in (STEP, 2 * STEP)
        )
        expected[name] = (8 * near - far) / (12 * STEP)
    found = gradients(executor, circuit, PARAMETERS, [{"Z": 1.0, "X": 0.5}])
    assert found == [pytest.approx(expected, abs=TOLERANCE)]


def test_expression_of_qiskit_without_a_derivative(executor: Executor) -> None:
    circuit = QuantumCircuit(1)
    circuit.ry(A.sign(), 0)
    found = outcome(executor, circuit, {"a": 0.4}, [{"Z": 1}])
    assert type(found) is GradientInvalid
    assert "parameter 'a'" in found.message


def test_states_that_do_not_fit(executor: Executor) -> None:
    found = outcome(executor, "input float w; qubit[21] q; rx(w) q;", {"w": 0.1}, [{"Z" * 21: 1}])
    assert type(found) is ProgramTooLarge
    assert "with their gradient" in found.message


def test_gradients_that_are_larger_than_a_result(executor: Executor) -> None:
    text = "input array[float, 10000] w; qubit q; rx(w[3]) q;"
    found = outcome(executor, text, {"w": {"array": [0.1] * 10_000}}, [{"Z": 1}] * 10)
    assert type(found) is ProgramTooLarge
    assert "fewer inputs" in found.message


def test_failure_names_the_point(executor: Executor) -> None:
    found = outcome(executor, "input float w; qubit q; rx(sqrt(w)) q;", {"w": [1.0, 0.0]}, [{"Z": 1}])
    assert type(found) is GradientInvalid
    assert found.message.startswith("at point 1: ")


def test_inspection_plans_the_gradient(executor: Executor) -> None:
    text, values = ansatz(12, 2)
    observables = [{"Z" * 12: 1.0}]
    found = outcome(executor, text, values, observables, command=Command.INSPECT)
    assert isinstance(found, Inspection)
    assert found.method is Method.STATEVECTOR
    assert "adjoint" in (found.method_reason or "")
    assert found.memory_bytes == 7 * 16 << 12
    shift = outcome(executor, text, values, observables, command=Command.INSPECT, by=SHIFT)
    assert shift.estimated_seconds > found.estimated_seconds
    large = outcome(executor, *ansatz(21, 1), [{"Z" * 21: 1.0}], command=Command.INSPECT)
    assert large.failure is not None
    assert large.failure.code == "too_large"
    wrong = outcome(
        executor, "input float w; qubit q; if (w > 0) x q;", {"w": 1.0}, [{"Z": 1}], command=Command.INSPECT
    )
    assert isinstance(wrong, GradientInvalid)


def test_ansatz_of_qiskit_at_16_qubits(executor: Executor) -> None:
    """A circuit of QPY with 64 parameters, three of which are compared with differences of our own values."""
    circuit = efficient_su2(16, reps=1, entanglement="linear")
    draw = random.Random(3)
    inputs = {parameter.name: draw.uniform(-3, 3) for parameter in circuit.parameters}
    observable = [{"Z" * 16: 1.0}]
    found = gradients(executor, circuit, inputs, observable)[0]
    assert len(found) == 64
    some = list(inputs)[::25]
    shifted = gradients(executor, circuit, inputs, observable, names=some, by=SHIFT)[0]
    assert {name: found[name] for name in some} == pytest.approx(shifted, abs=1e-10)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [{"t": 1.0, "a": [0.0, 1.0]}],
        [{"t": 1.0, "a": [0.0, 1.0]}, {"t": 1.0}],
        [{"t": 1.0, "a": [0.0, 1.0]}, {"t": 1.0, "b": [0.0, 1.0]}],
        [{"t": 1.0, "a": [0.0, 1.0]}, None],
        [{}, {}],
        [{"u": 1.0}, {"u": 1.0}],
        [{"t": "1"}, {"t": 1.0}],
        [{"t": True}, {"t": 1.0}],
        [{"t": [1.0]}, {"t": 1.0}],
        [{"t": float("nan")}, {"t": 1.0}],
        [{"a": 1.0}, {"a": [1.0, 0.0]}],
        [{"a": [1.0]}, {"a": [1.0, 0.0]}],
        [{"a": [1.0, 0.0, 0.0]}, {"a": [1.0, 0.0]}],
        [{"a": [1.0, [0.0]]}, {"a": [1.0, 0.0]}],
    ],
)
def test_other_shapes_are_not_accepted_from_a_simulator(data: Any) -> None:
    with pytest.raises(ValueError, match=r"gradient|derivative|inputs"):
        checked_gradients(data, {"t": 0.3, "a": {"array": [0.1, 0.2]}}, 2)


def test_gradients_are_accepted_in_the_shape_of_their_inputs() -> None:
    data = [{"t": 1, "a": [0.0, 1.0]}] * 2
    assert checked_gradients(data, {"t": 0.3, "a": {"array": [0.1, 0.2]}, "n": 2}, 2) == data


def test_input_that_no_gate_has(executor: Executor) -> None:
    for by in (ADJOINT, SHIFT):
        found = result(executor, "input float w; qubit[2] q; x q[1];", {"w": 0.3}, [{"ZI": 1}, {"II": 2}], by=by)
        assert (found.expectation_values, found.gradients) == ([-1, 2], [{"w": 0}, {"w": 0}])

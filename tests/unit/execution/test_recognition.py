"""Definitions that do what a native gate does are found by what they do: equal unitaries, and none that differs."""

import io
from base64 import b64encode
from collections.abc import Sequence
from math import pi

import numpy as np
import pytest
from qiskit import qasm2, qasm3, qpy, transpile
from qiskit.circuit import Gate, Parameter, ParameterExpression, QuantumCircuit
from qiskit.circuit.library import (
    HGate,
    MCPhaseGate,
    MCXGate,
    RXGate,
    RYGate,
    RZGate,
    SXGate,
    UGate,
    UnitaryGate,
    YGate,
)
from qiskit.quantum_info import Operator, Statevector, random_unitary
from qiskit.synthesis import synth_mcx_1_dirty_kg24, synth_mcx_n_clean_m15, synth_mcx_n_dirty_i15

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.operations import steps_of
from ketline.execution.circuit.passes.recognition import recognise
from ketline.execution.frontend.program import load_program, with_inputs
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.methods.matrix_product_state import plan_of
from tests.reference import assert_counts_match

LIMITS = ExecutionLimits()


def inlined(circuit: QuantumCircuit) -> QuantumCircuit:
    """As Qiskit's exporter defines the gates: in those of the standard library."""
    flat = circuit
    while any(one.name in ("mcx", "mcphase", "mcx_gray") or one.operation.num_qubits > 2 for one in flat.data):
        flat = flat.decompose()
    return flat


def of_gate(gate: MCXGate | MCPhaseGate, qubits: list[int]) -> QuantumCircuit:
    circuit = QuantumCircuit(len(qubits))
    circuit.append(gate, qubits)
    return circuit


def found_in(circuit: QuantumCircuit) -> QuantumCircuit | None:
    """The circuit of the recognised gates, with their global phase."""
    found = recognise(steps_of(circuit), circuit.num_qubits)
    if found is None:
        return None
    native = QuantumCircuit(circuit.num_qubits, global_phase=found.phase)
    for gate, operands in found.gates:
        native.append(gate, operands)
    return native


def assert_recognised(circuit: QuantumCircuit) -> QuantumCircuit:
    circuit.global_phase = 0
    native = found_in(circuit)
    assert native is not None
    assert np.abs(Operator(circuit).data - Operator(native).data).max() < 1e-9
    return native


@pytest.mark.parametrize("qubits", [4, 5, 6, 7])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_recognised_has_the_same_matrix(qubits: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    order = random.permutation(qubits).tolist()
    angle = float(random.uniform(-pi, pi))
    for gate, name in ((MCXGate(qubits - 1), "mcx"), (MCPhaseGate(angle, qubits - 1), "mcphase")):
        native = assert_recognised(inlined(of_gate(gate, order)))
        assert dict(native.count_ops()) == {name: 1}


@pytest.mark.parametrize(
    "gate", [RXGate(0.3), RYGate(-1.2), RZGate(0.8), HGate(), UGate(0.4, 1.1, -2.2), SXGate(), YGate()]
)
@pytest.mark.parametrize("controls", [3, 5])
def test_any_gate_on_one_qubit_is_recognised_under_controls(gate: Gate, controls: int) -> None:
    state = int(np.random.default_rng(controls).integers(1 << controls))
    for values in (None, 0, state):
        circuit = QuantumCircuit(controls + 1)
        circuit.append(gate.control(controls, ctrl_state=values, annotated=False), range(controls, -1, -1))
        native = assert_recognised(transpiled(circuit))
        assert len(native.data) <= 2 * controls + 4


@pytest.mark.parametrize(
    ("chain", "controls", "ancillas"),
    [
        (synth_mcx_n_dirty_i15(4), 4, 2),
        (synth_mcx_n_dirty_i15(5), 5, 3),
        (synth_mcx_1_dirty_kg24(5), 5, 1),
        (of_gate(MCXGate(4, ctrl_state=6), list(range(5))), 4, 0),
    ],
    ids=["chain of 4", "chain of 5", "one ancilla", "idle qubits"],
)
def test_ancillas_of_any_state_may_be_among_the_qubits(chain: QuantumCircuit, controls: int, ancillas: int) -> None:
    order = [3, 7, 1, 0, 8, 5, 2, 6, 4][: controls + 1 + ancillas]
    circuit = QuantumCircuit(9)
    circuit.compose(transpiled(chain), order, inplace=True)
    native = assert_recognised(circuit)
    (gate,) = (one for one in native.data if one.name == "mcx")
    assert {circuit.find_bit(qubit).index for qubit in gate.qubits} == set(order[: controls + 1])


@pytest.mark.parametrize("controls", [4, 5])
def test_ancillas_that_must_be_0_are_not_left_out(controls: int) -> None:
    assert found_in(transpiled(synth_mcx_n_clean_m15(controls))) is None


def test_random_unitary_under_controls_is_recognised() -> None:
    for seed in range(8):
        alone = QuantumCircuit(4)
        alone.append(UnitaryGate(random_unitary(2, seed=seed)).control(3, ctrl_state=seed), [3, 0, 2, 1])
        circuit = QuantumCircuit(5)
        circuit.compose(transpiled(alone), [4, 0, 2, 1], inplace=True)
        assert_recognised(circuit)


def transpiled(circuit: QuantumCircuit) -> QuantumCircuit:
    """In gates on one and two qubits; there must be no idle qubits, which would serve as ancillas that are 0."""
    found = transpile(circuit, basis_gates=["u", "cx"], optimization_level=0)
    assert len(found.data) >= 32
    return found


@pytest.mark.parametrize(
    "change",
    ["angle", "missing", "extra", "nothing", "two targets", "one control", "controlled z", "swap", "two values"],
)
def test_what_differs_is_not_recognised(change: str) -> None:
    circuit = inlined(of_gate(MCXGate(5), list(range(6))))
    if change == "angle":
        circuit.cp(1e-8, 0, 3)
    elif change == "missing":
        del circuit.data[7]
    elif change == "extra":
        circuit.s(2)
    elif change == "two targets":
        circuit.compose(inlined(of_gate(MCXGate(5), [0, 1, 2, 3, 5, 4])), inplace=True)
    elif change == "two values":
        circuit.compose(inlined(of_gate(MCXGate(5, ctrl_state=0), list(range(6)))), inplace=True)
    else:
        circuit = QuantumCircuit(6)
        if change == "one control":
            circuit.ch(0, 1)
        elif change == "controlled z":
            circuit.cz(0, 1)
        elif change == "swap":
            circuit.cswap(0, 1, 2)
        circuit.cx(0, 1)
        circuit.cx(0, 1)
    assert found_in(circuit) is None


def test_phase_of_a_tiny_angle_is_not_lost() -> None:
    found = recognise(steps_of(inlined(of_gate(MCPhaseGate(1e-6, 4), list(range(5))))), 5)
    assert found is not None
    assert found.gates[0].gate.params == pytest.approx([1e-6], rel=1e-6)


@pytest.mark.parametrize("name", ["rx", "ry"])
def test_counts_of_programs_with_rotations_under_controls(name: str) -> None:
    circuit = QuantumCircuit(7, 7)
    circuit.h(range(7))
    for angle, target in ((0.7, 6), (0.7, 5), (0.7, 6), (0.7, 3)):
        controls = [qubit for qubit in range(7) if qubit != target]
        rotation = (RXGate(angle) if name == "rx" else RYGate(angle)).control(6, ctrl_state=5, annotated=False)
        circuit.append(rotation, [*controls, target])
        circuit.h(range(0, 7, 2))
    circuit.measure(range(7), range(7))
    alone = circuit.remove_final_measurements(inplace=False)
    expected = {key: float(value) for key, value in Statevector(alone).probabilities_dict().items()}
    for text in (qasm3.dumps(circuit), qasm2.dumps(circuit)):
        program = load_program(text, LIMITS, form=format_by_header(text) or ProgramFormat.OPENQASM3)
        assert program.lowered.operations.total() < 100
        counts = Simulator(LIMITS).run(program, 20_000, RunOptions(seed=2)).counts
        assert_counts_match(counts, expected, 20_000)


def grover(qubits: int, rounds: int, *, phase: bool, marked: int) -> QuantumCircuit:
    """The circuit of Grover's search for one bitstring, with gates that the exporter has to define."""
    flips = [qubit for qubit in range(qubits) if not marked >> qubit & 1]
    circuit = QuantumCircuit(qubits, qubits)

    def reflect(zeros: list[int]) -> None:
        if zeros:
            circuit.x(zeros)
        if phase:
            circuit.mcp(pi, list(range(qubits - 1)), qubits - 1)
        else:
            circuit.h(qubits - 1)
            circuit.mcx(list(range(qubits - 1)), qubits - 1)
            circuit.h(qubits - 1)
        if zeros:
            circuit.x(zeros)

    circuit.h(range(qubits))
    for _ in range(rounds):
        reflect(flips)
        circuit.h(range(qubits))
        reflect(list(range(qubits)))
        circuit.h(range(qubits))
    circuit.measure(range(qubits), range(qubits))
    return circuit


def test_native_gates_are_not_expanded_to_choose_a_method() -> None:
    program = load_program(qasm3.dumps(grover(16, 8, phase=False, marked=5)), LIMITS)
    assert plan_of(program.lowered) is None
    assert plan_of(program.lowered, 100_000) is not None


@pytest.mark.parametrize(("phase", "name"), [(False, "mcx"), (True, "mcphase")])
def test_grovers_search_is_read_as_native_gates(phase: bool, name: str) -> None:
    text = qasm3.dumps(grover(10, 25, phase=phase, marked=0b1011001101))
    program = load_program(text, LIMITS)
    assert program.lowered.operations[name] == 50
    assert not {"crx", "cp"} & program.lowered.operations.keys()
    counts = Simulator(LIMITS).run(program, 200, RunOptions(method=Method.STATEVECTOR)).counts
    assert counts["1011001101"] >= 190


@pytest.mark.parametrize("phase", [False, True])
def test_openqasm_2_is_read_so_too(phase: bool) -> None:
    text = qasm2.dumps(grover(10, 25, phase=phase, marked=0b1011001101))
    program = load_program(text, LIMITS)
    assert program.front_end == "openqasm2"
    assert program.lowered.operations["mcphase" if phase else "mcx"] == 50
    assert not {"crx", "cp"} & program.lowered.operations.keys()
    counts = Simulator(LIMITS).run(program, 200, RunOptions(method=Method.STATEVECTOR)).counts
    assert counts["1011001101"] >= 190


def test_gate_that_is_named_like_a_native_one_is_taken_by_what_it_does() -> None:
    body = " ".join(f"cx a{one}, a{two};" for one in range(8) for two in range(8) if one != two)
    definition = f"gate mcx {', '.join(f'a{number}' for number in range(8))} {{ {body} }}"
    calls = 6 * f"mcx {', '.join(f'q[{number}]' for number in range(8))}; h q[3]; "
    text = f'OPENQASM 3.0; include "stdgates.inc"; {definition} qubit[8] q; bit[8] c; {calls} c = measure q;'
    assert "mcx" not in load_program(text, LIMITS).lowered.operations


def test_few_calls_are_inlined_as_before() -> None:
    text = qasm3.dumps(grover(8, 1, phase=False, marked=3))
    assert "mcx" not in load_program(text, LIMITS).lowered.operations


def test_recognition_is_bounded() -> None:
    """Definitions on so many qubits that a state of them takes a gigabyte are left as they are."""
    body = " ".join(f"cp(0.{number + 1}) a{number}, a{number + 1};" for number in range(25)) * 2
    definition = f"gate wide {', '.join(f'a{number}' for number in range(26))} {{ {body} }}"
    calls = 6 * f"wide {', '.join(f'q[{number}]' for number in range(26))}; h q[3]; "
    text = f'OPENQASM 3.0; include "stdgates.inc"; {definition} qubit[26] q; bit[26] c; {calls} c = measure q;'
    assert load_program(text, LIMITS).lowered.operations["cp"] == 300


def qpy_of(circuit: QuantumCircuit) -> str:
    file = io.BytesIO()
    qpy.dump(circuit, file)
    return b64encode(file.getvalue()).decode()


def with_rotations(names: Sequence[str], angles: Sequence[float | ParameterExpression]) -> QuantumCircuit:
    """Rotations under controls of some qubits, as gates with these names, measured at the end."""
    circuit = QuantumCircuit(6, 6)
    circuit.h(range(6))
    for number in range(12):
        angle = angles[number % len(angles)]
        rotation = RYGate(angle).control(5, annotated=False)
        definition = QuantumCircuit(6)
        definition.compose(rotation.definition, inplace=True)
        gate = definition.to_gate()
        gate.name = names[number % len(names)]
        circuit.append(gate, [(number + place) % 6 for place in range(6)])
        circuit.rx(0.3, range(6))
    circuit.measure(range(6), range(6))
    return circuit


@pytest.mark.parametrize("names", [("mine",), ("one", "other")])
def test_qpy_is_read_so_too_by_what_its_gates_are(names: Sequence[str]) -> None:
    """Two gates may have one name, which is that of none of Qiskit's."""
    circuit = with_rotations(names, (0.9, 2.1))
    program = load_program(qpy_of(circuit), LIMITS, form=ProgramFormat.QPY)
    assert program.lowered.operations.total() < 150
    alone = circuit.remove_final_measurements(inplace=False)
    expected = {key: float(value) for key, value in Statevector(alone).probabilities_dict().items()}
    assert_counts_match(Simulator(LIMITS).run(program, 20_000, RunOptions(seed=3)).counts, expected, 20_000)


def test_parameters_without_values_are_left_in_definitions() -> None:
    angle = Parameter("angle")
    circuit = with_rotations(("mine",), (angle,))
    program = with_inputs(load_program(qpy_of(circuit), LIMITS, form=ProgramFormat.QPY), {"angle": 0.9})
    alone = circuit.assign_parameters({angle: 0.9}).remove_final_measurements(inplace=False)
    expected = {key: float(value) for key, value in Statevector(alone).probabilities_dict().items()}
    assert_counts_match(Simulator(LIMITS).run(program, 20_000, RunOptions(seed=3)).counts, expected, 20_000)

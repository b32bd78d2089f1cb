"""The matrix product state against Qiskit's statevector: amplitudes, samples and values; its bounds, and its limits."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector, random_unitary

from ketline.domain.circuits.method import Method
from ketline.domain.errors import ProgramTooLarge
from ketline.domain.results.observable import Observable
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.circuit.operations import steps_of
from ketline.execution.circuit.passes.entanglement import bonds_of_a_shot
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.passes.lowering import lower
from ketline.execution.circuit.passes.qubit_order import connected_parts, line_order
from ketline.execution.circuit.passes.routing import Route, RouteTooLong, route
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.matrix_product import MatrixProduct
from ketline.execution.simulators.methods import choose
from ketline.execution.simulators.methods.matrix_product_state import MatrixProductState, plan_of
from ketline.execution.simulators.quota import Quota
from tests.blocks import long_after
from tests.reference import assert_counts_match

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
LIMITS = ExecutionLimits()
TELEPORT = Path(__file__).parents[2] / "corpus" / "openqasm" / "varteleport.qasm"
NAMED = {1: ("h", "t", "sx", "y"), 2: ("cx", "cz", "swap", "ecr"), 3: ("ccx", "cswap")}
LADDERS = "for int r in [0:14] { for int i in [0:48] { cx q[i], q[i + 1]; } }"


def load(body: str, limits: ExecutionLimits = LIMITS) -> Program:
    return load_program(HEAD + body, limits)


def dense(qubits: int, rounds: int = 10) -> Program:
    """Rounds of rotations and of `cx` on random pairs: its bonds are as wide as those of any state."""
    random, lines = np.random.default_rng(qubits), []
    for _ in range(rounds):
        lines += [f"u({', '.join(f'{angle:.3f}' for angle in random.uniform(0, 6, 3))}) q[{k}];" for k in range(qubits)]
        lines += [f"cx q[{one}], q[{two}];" for one, two in random.permutation(qubits).reshape(-1, 2)]
    return load(f"qubit[{qubits}] q; bit[{qubits}] c; {' '.join(lines)} c = measure q;")


def random_circuit(random: np.random.Generator, most_qubits: int = 8) -> QuantumCircuit:
    """Gates on one to four qubits, near and far, named and by matrix."""
    circuit = QuantumCircuit(int(random.integers(2, most_qubits + 1)))
    for _ in range(random.integers(1, 40)):
        width = int(random.integers(1, min(circuit.num_qubits, 4) + 1))
        qubits = random.choice(circuit.num_qubits, width, replace=False).tolist()
        if width in NAMED and random.random() < 0.6:
            getattr(circuit, str(random.choice(NAMED[width])))(*qubits)
        else:
            circuit.unitary(random_unitary(2**width, seed=random), qubits)
    return circuit


def simulated(circuit: QuantumCircuit) -> tuple[MatrixProduct, Route]:
    found = route(steps_of(circuit), circuit.num_qubits, 10_000)
    state = MatrixProduct(circuit.num_qubits)
    for block in found.blocks:
        state.apply(block)
    return state, found


def amplitudes(state: MatrixProduct, places: list[int]) -> np.ndarray:
    """In the order of Qiskit's statevector."""
    vector = np.ones((1, 1), dtype=complex)
    for tensor in state.tensors:
        vector = (vector @ tensor.reshape(tensor.shape[0], -1)).reshape(-1, tensor.shape[2])
    return vector.reshape([2] * len(places)).transpose(places[::-1]).ravel()


@pytest.mark.parametrize("seed", long_after(13, range(40)))
def test_state_and_values_are_those_of_the_statevector(seed: int) -> None:
    random = np.random.default_rng(seed)
    circuit = random_circuit(random)
    state, found = simulated(circuit)
    expected = Statevector(circuit)
    assert abs(np.vdot(expected.data, amplitudes(state, found.places))) == pytest.approx(1, abs=1e-12)
    label = "".join(random.choice(list("IXYZ"), circuit.num_qubits))
    by_place = sorted(range(circuit.num_qubits), key=found.places.__getitem__)
    value = state.expectation("".join(label[-1 - qubit] for qubit in by_place))
    assert value == pytest.approx(expected.expectation_value(SparsePauliOp(label)).real, abs=1e-12)


@pytest.mark.parametrize("seed", long_after(8, range(20)))
def test_tensors_stay_canonical_and_bonds_within_their_bounds(seed: int) -> None:
    circuit = random_circuit(np.random.default_rng(seed), 10)
    state, _ = simulated(circuit)
    for tensor, values in zip(state.tensors, state.schmidt, strict=False):
        flat = tensor.reshape(tensor.shape[0], -1)
        assert flat @ flat.conj().T == pytest.approx(np.eye(len(flat)), abs=1e-10)
        assert values @ values == pytest.approx(1)
    circuit.measure_all()
    plan = plan_of(Lowered(plain_of(circuit), Counter(dict(circuit.count_ops()))))
    assert plan is not None
    assert state.bond <= plan.bounds.bond


@pytest.mark.parametrize("seed", range(10))
def test_samples_are_of_the_distribution(seed: int) -> None:
    random = np.random.default_rng(100 + seed)
    circuit = random_circuit(random, 5)
    measured = random.permutation(circuit.num_qubits)[: random.integers(1, 4)].tolist()
    expected = Statevector(circuit).probabilities_dict(measured)
    full = circuit.copy()
    full.add_bits(QuantumCircuit(0, len(measured)).clbits)
    full.measure(measured, range(len(measured)))
    lowered = lower(plain_of(full), 1000)
    program = Program(lowered, (len(measured),), ("c",), "qpy", circuit.num_qubits)
    engine = Engines(LIMITS, Quota(LIMITS))
    options = RunOptions(seed=seed, memory=True)
    counts, memory = MatrixProductState().run(engine, program, 4000, options, likely_repeated=False)
    assert_counts_match(counts, {key: value for key, value in expected.items() if value > 1e-12}, 4000)
    assert Counter(memory) == counts


@pytest.mark.parametrize(
    ("body", "most_counts"),
    [
        ("qubit[28] q; bit[28] c; ry(0.3) q[0]; for int i in [0:26] { cx q[i], q[i + 1]; }", 2),
        ("qubit[40] q; bit[40] c; t q[39]; for int i in [0:19] { cx q[i], q[39 - i]; }", 1),
        (f"qubit[50] q; bit[50] c; t q; {LADDERS}", 1),
        (f"qubit[50] q; bit[50] c; ry(0.3) q[0]; ry(0.2) q[25]; {LADDERS}", 4),
        ("qubit[101] q; bit[101] c; ry(0.5) q[0]; for int i in [1:50] { cswap q[0], q[i], q[50 + i]; }", 2),
    ],
    ids=["chain", "far pairs", "ladders of zeros", "ladders", "swap test"],
)
def test_wide_states_with_little_entanglement_run_in_seconds(body: str, most_counts: int) -> None:
    simulation = Simulator(LIMITS).run(load(f"{body} c = measure q;"), 1000)
    assert simulation.method == "matrix_product_state"
    assert "a statevector takes" in simulation.reason
    assert len(simulation.counts) <= most_counts


def test_teleportations_are_simulated_on_narrow_bonds() -> None:
    program = load_program(TELEPORT.read_text(encoding="utf-8"), LIMITS)
    assert max(bonds_of_a_shot(program.lowered) or ()) == 1
    choice = choose(program.lowered, 1000, Method.AUTOMATIC, LIMITS)
    assert choice.method.name is Method.MATRIX_PRODUCT_STATE
    assert Simulator(LIMITS).run(program, 50).counts.keys() <= {"0", "1"}


def test_quick_statevector_is_chosen_whatever_the_bonds_are() -> None:
    program = load("qubit[16] q; bit[16] c; ry(0.3) q; for int i in [0:14] { cx q[i], q[i + 1]; } c = measure q;")
    choice = choose(program.lowered, 1000, Method.AUTOMATIC, LIMITS)
    assert (choice.method.name, choice.reason) == (Method.STATEVECTOR, "the state takes 1 MiB")


def test_where_the_bonds_grow_the_statevector_goes_on() -> None:
    program = dense(22, rounds=15)
    choice = choose(program.lowered, 100, Method.AUTOMATIC, LIMITS)
    assert choice.method.name is Method.MATRIX_PRODUCT_STATE
    simulation = Simulator(LIMITS).run(program, 100)
    assert simulation.method == "statevector"
    assert simulation.reason.startswith("the state takes 64 MiB; simulating 22 qubits as a matrix product state takes")


def test_budget_is_spent_at_the_same_gate_every_time() -> None:
    program, engine = dense(16), Engines(LIMITS, Quota(LIMITS))
    messages = set()
    for _ in range(3):
        with pytest.raises(ProgramTooLarge) as failure:
            MatrixProductState(0.05).run(engine, program, 10, RunOptions(seed=1), likely_repeated=False)
        messages.add(failure.value.message)
    assert len(messages) == 1


def test_requested_method_is_tried_within_the_memory() -> None:
    program, small = dense(40), ExecutionLimits(memory_bytes=1 << 20)
    message = r"simulating 40 qubits as a matrix product state takes more than .* bonds of \d+; the limit is 1 MiB"
    with pytest.raises(ProgramTooLarge, match=message):
        Simulator(small).run(program, 10, RunOptions(method=Method.MATRIX_PRODUCT_STATE))


@pytest.mark.parametrize("qubits", [20, 40])
def test_values_of_a_wide_chain(qubits: int) -> None:
    """Of cos(0.15) |0…0> + sin(0.15) |1…1>."""
    body = f"qubit[{qubits}] q; ry(0.3) q[0]; for int i in [0:{qubits - 2}] {{ cx q[i], q[i + 1]; }}"
    observed: list[Observable] = [{"X" * qubits: 1.0}, {"Z" + "I" * (qubits - 1): 2.0, "I" * qubits: 1.0}]
    options = RunOptions(method=Method.MATRIX_PRODUCT_STATE, observables=observed)
    result = Executor(LIMITS).run(Request(TaskSpec(circuit=HEAD + body, shots=1, options=options), ""))
    assert result.expectation_values == pytest.approx([np.sin(0.3), 2 * np.cos(0.3) + 1], abs=1e-12)


def test_far_gates_on_many_qubits_are_not_planned_without_end() -> None:
    random = np.random.default_rng(1)
    circuit = QuantumCircuit(1000)
    for _ in range(5000):
        circuit.cx(*random.choice(1000, 2, replace=False).tolist())
    with pytest.raises(RouteTooLong):
        route(steps_of(circuit), 1000, 20_000)


def test_order_puts_partners_beside_each_other() -> None:
    pairs = [(number, 39 - number) for number in range(20)]
    order = line_order(pairs, 40)
    assert sorted(order) == list(range(40))
    assert {frozenset(order[place : place + 2]) for place in range(0, 40, 2)} == set(map(frozenset, pairs))


def test_order_stays_as_it_is_where_nothing_is_gained() -> None:
    assert line_order([(number, number + 1) for number in range(9)], 10) == list(range(10))
    assert line_order([], 3) == [0, 1, 2]


def test_connected_parts_are_sorted() -> None:
    assert connected_parts([(4, 1), (2, 3), (3, 5)], 7) == [[0], [1, 4], [2, 3, 5], [6]]
    assert connected_parts([], 0) == []

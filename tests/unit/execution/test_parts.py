"""Circuits whose qubits do not all interact are simulated in parts; together these give the circuit's distribution."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit.quantum_info import Statevector

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.passes.lowering import lower
from ketline.execution.circuit.passes.parts import parts_of
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.methods import SIMULATION_METHODS, choose
from ketline.execution.simulators.methods.parts import DisconnectedParts, Part
from ketline.execution.simulators.quota import Quota
from tests.blocks import long_after
from tests.branches import exact_distribution
from tests.reference import assert_counts_match

LIMITS = ExecutionLimits()
HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
SHOTS = 4000


def in_three_parts(random: np.random.Generator) -> QuantumCircuit:
    """Parts of 1, 2 and 3 qubits among each other, which are measured into bits in another order."""
    circuit = QuantumCircuit(6, 7)
    qubits, bits = random.permutation(6).tolist(), random.permutation(7).tolist()
    for part in (qubits[:1], qubits[1:3], qubits[3:]):
        for _ in range(6):
            circuit.u(*random.uniform(0, 6, 3), int(random.choice(part)))
            if len(part) > 1:
                circuit.cx(*random.permutation(part)[:2].tolist())
    for qubit, bit in zip(qubits, bits, strict=False):
        circuit.measure(qubit, bit)
    return circuit


def expected_counts(circuit: QuantumCircuit) -> dict[str, float]:
    """By Qiskit's statevector; a bit that is not written is 0."""
    found: dict[str, float] = defaultdict(float)
    written = {circuit.find_bit(one.clbits[0]).index: one.qubits[0] for one in circuit.data if one.name == "measure"}
    places = {bit: circuit.find_bit(qubit).index for bit, qubit in written.items()}
    state = Statevector(circuit.remove_final_measurements(inplace=False))
    for index, probability in enumerate(state.probabilities()):
        key = "".join(str(index >> places[bit] & 1) if bit in places else "0" for bit in reversed(range(7)))
        found[key] += float(probability)
    return {key: probability for key, probability in found.items() if probability > 1e-12}


def apart(circuit: QuantumCircuit, method: Method = Method.STATEVECTOR) -> tuple[DisconnectedParts, Program]:
    lowered = lower(plain_of(circuit), 1000)
    parts = parts_of(lowered, 1)
    assert sorted(part.num_qubits for part in parts) == [1, 2, 3]
    found = DisconnectedParts([Part(part, SIMULATION_METHODS[method]) for part in parts])
    return found, Program(lowered, (7,), ("c",), "qpy", circuit.num_qubits)


@pytest.mark.parametrize("method", [Method.STATEVECTOR, Method.MATRIX_PRODUCT_STATE])
@pytest.mark.parametrize("seed", range(4))
def test_joined_shots_are_of_the_circuits_distribution(seed: int, method: Method) -> None:
    circuit = in_three_parts(np.random.default_rng(seed))
    parts, program = apart(circuit, method)
    engines, options = Engines(LIMITS, Quota(LIMITS)), RunOptions(seed=seed, memory=True)
    counts, memory = parts.run(engines, program, SHOTS, options, likely_repeated=False)
    assert_counts_match(counts, expected_counts(circuit), SHOTS)
    assert list(counts) == sorted(counts)
    assert Counter(memory) == counts
    assert parts.run(engines, program, SHOTS, options, likely_repeated=False) == (counts, memory)
    other = RunOptions(seed=seed + 1)
    assert parts.run(engines, program, SHOTS, other, likely_repeated=False)[0] != counts


def test_shots_of_the_parts_are_independent() -> None:
    """Equal parts have different shots, and neither follows the order of the other's."""
    circuit = QuantumCircuit(6, 7)
    circuit.h([0, 1, 3])
    circuit.cx(1, 2)
    circuit.cx(3, 4)
    circuit.cx(4, 5)
    circuit.measure(range(6), range(6))
    parts, program = apart(circuit)
    engines = Engines(LIMITS, Quota(LIMITS))
    _, memory = parts.run(engines, program, SHOTS, RunOptions(seed=1, memory=True), likely_repeated=False)
    shots = np.array([[int(key[-1]), int(key[-2]), int(key[-4])] for key in memory or ()])
    assert np.abs(np.corrcoef(shots.T) - np.eye(3)).max() < 0.1
    following = np.corrcoef(shots[:-1, 0], shots[1:, 0])[0, 1]
    assert abs(following) < 0.1


def test_two_halves_of_28_qubits_take_as_much_memory_as_one() -> None:
    random, lines = np.random.default_rng(3), []
    for _ in range(6):
        lines += [f"u({random.uniform(0, 6):.3f}, {random.uniform(0, 6):.3f}, 1) q[{qubit}];" for qubit in range(28)]
        for half in (range(14), range(14, 28)):
            lines += [f"cx q[{one}], q[{two}];" for one, two in random.permutation(half).reshape(-1, 2)]
    program = load_program(f"{HEAD} qubit[28] q; bit[28] c; {' '.join(lines)} c = measure q;", LIMITS)
    choice = choose(program.lowered, 1000, Method.AUTOMATIC, LIMITS)
    assert choice.method.state_bytes(program.lowered) == 16 << 14
    assert choice.reason.startswith("2 disconnected parts, of at most 14 qubits, simulated apart by statevector;")
    simulation = Simulator(LIMITS).run(program, 1000)
    assert simulation.method == "statevector"
    assert sum(simulation.counts.values()) == 1000


def test_each_part_has_the_method_that_is_best_for_it() -> None:
    chain = "h q[20]; for int i in [20:58] { cx q[i], q[i + 1]; }"
    random = np.random.default_rng(4)
    lines = [f"cx q[{one}], q[{two}]; ry(0.{one}) q[{two}];" for one, two in random.permutation(16).reshape(-1, 2)] + [
        f"cx q[{one}], q[{two}]; ry(1.{one}) q[{two}];" for one, two in random.permutation(16).reshape(-1, 2)
    ]
    body = f"qubit[60] q; bit[60] c; ry(0.4) q[0:15]; {3 * ' '.join(lines)} {chain} c = measure q;"
    program = load_program(HEAD + body, LIMITS)
    choice = choose(program.lowered, 1000, Method.AUTOMATIC, LIMITS)
    assert "simulated apart by statevector, stim;" in choice.reason
    counts = Simulator(LIMITS).run(program, 200).counts
    assert {key[:40] for key in counts} == {"0" * 40, "1" * 40}


def branching_in_two_parts(random: np.random.Generator) -> QuantumCircuit:
    """Parts of two qubits that are measured, reset and branch among each other, in a random order."""
    circuit = QuantumCircuit(QuantumRegister(4, "q"), ClassicalRegister(6, "c"))
    qubits, bits = random.permutation(4).tolist(), random.permutation(6).tolist()
    for _ in range(10):
        half = int(random.integers(2))
        one, two = random.permutation(qubits[2 * half : 2 * half + 2]).tolist()
        bit = int(random.choice(bits[3 * half : 3 * half + 3]))
        circuit.ry(float(random.uniform(0.2, 2.9)), one)
        circuit.cx(one, two)
        circuit.measure(two, bit)
        with circuit.if_test((bit, 1)):
            circuit.ry(float(random.uniform(0.2, 2.9)), one)
        if random.random() < 0.3:
            circuit.reset(one)
    circuit.measure(qubits, [*bits[:2], *bits[3:5]])
    return circuit


@pytest.mark.parametrize("seed", long_after(2, range(6)))
def test_joined_shots_of_parts_that_branch_are_of_the_circuits_distribution(seed: int) -> None:
    circuit = branching_in_two_parts(np.random.default_rng(seed))
    lowered = lower(plain_of(circuit), 1000)
    parts = parts_of(lowered, 1)
    assert [part.num_qubits for part in parts] == [2, 2]
    assert sum((part.operations for part in parts), Counter()) == lowered.operations
    found = DisconnectedParts([Part(part, SIMULATION_METHODS[Method.STATEVECTOR]) for part in parts])
    program = Program(lowered, (6,), ("c",), "qpy", 4)
    engines, options = Engines(LIMITS, Quota(LIMITS)), RunOptions(seed=seed)
    counts, _ = found.run(engines, program, SHOTS, options, likely_repeated=False)
    assert_counts_match(counts, exact_distribution(circuit), SHOTS)


@pytest.mark.parametrize("through", ["bit", "condition", "block", "store"])
def test_qubits_that_use_the_same_bit_stay_together(through: str) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(1, [0, 1])
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    circuit.h(0)
    circuit.h(1)
    if through == "bit":
        circuit.measure(1, 0)
    elif through == "condition":
        body = QuantumCircuit(1)
        body.x(0)
        circuit.if_else((circuit.clbits[0], True), body, None, [1], [])  # the instruction does not have the bit
    elif through == "block":
        with circuit.if_test((1, 1)):
            circuit.measure(1, 0)
    else:
        circuit.store(expr.lift(circuit.clbits[1]), expr.bit_not(circuit.clbits[0]))
    circuit.measure([0, 1], [0, 1])
    lowered = lower(plain_of(circuit), 100)
    assert parts_of(lowered, 1) == [lowered]


def test_large_parts_that_branch_are_simulated_apart() -> None:
    lines = [f"ry(0.{qubit + 1}) q[{qubit}];" for qubit in range(26)]
    for half in (range(13), range(13, 26)):
        lines += [f"cx q[{one}], q[{one + 1}];" for one in half[:-1]]
        lines += [f"c[{half[0]}] = measure q[{half[0]}]; if (c[{half[0]}]) ry(1.1) q[{half[1]}];"]
    text = f"{HEAD} qubit[26] q; bit[26] c; {' '.join(lines)} c[1:12] = measure q[1:12]; c[14:25] = measure q[14:25];"
    program = load_program(text, LIMITS)
    choice = choose(program.lowered, 1000, Method.AUTOMATIC, LIMITS)
    assert choice.reason.startswith("2 disconnected parts, of at most 13 qubits")
    simulation = Simulator(LIMITS).run(program, 1000)
    assert (simulation.engine, sum(simulation.counts.values())) == (Engine.LIGHTNING, 1000)

"""Programs that measure, reset, branch and loop, one history of outcomes after another: against plain numpy and Aer."""

import io
from base64 import b64encode
from collections import Counter
from random import Random

import numpy as np
import pytest
from qiskit import qpy
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.backend import Engine
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.bit_use import without_final_measurements
from ketline.execution.circuit.operations import steps_of
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.branches.branching import (
    BranchingCircuit,
    branching_circuit,
    expected_histories,
    most_divisions,
)
from ketline.execution.simulators.branches.flow import Gates, Instruction, Jump, Measure, Reset
from ketline.execution.simulators.branches.histories import outcomes_of_histories
from ketline.execution.simulators.branches.run import outcomes_of_shots
from ketline.execution.simulators.methods.choice import choose
from ketline.execution.simulators.states.lightning_state import load_lightning
from tests.blocks import long_after
from tests.branches import exact_distribution
from tests.reference import assert_counts_match, assert_samples_agree
from tests.unit.execution.test_branches import PROGRAMS, load

LIMITS = ExecutionLimits()
SHOTS = 4000


def program_of(circuit: QuantumCircuit) -> Program:
    file = io.BytesIO()
    qpy.dump(circuit, file)
    return load_program(b64encode(file.getvalue()).decode(), LIMITS, form=ProgramFormat.QPY)


def histories(program: Program, shots: int = SHOTS, seed: int = 1, most_stored: int = 60) -> dict[str, int]:
    circuit, lightning = branching_circuit(program.lowered), load_lightning()
    assert circuit is not None
    assert lightning is not None
    counts = outcomes_of_histories(circuit, shots, seed, lightning, most_stored)
    return {format(outcome, f"0{circuit.bits}b"): times for outcome, times in counts.items()}


def random_circuit(choices: Random, qubits: int) -> QuantumCircuit:
    """Rotations, entanglement, measurements, resets, branches, a loop, and all qubits measured at the end."""
    circuit = QuantumCircuit(QuantumRegister(qubits, "q"), ClassicalRegister(qubits, "c"))

    def some(depth: int) -> None:
        for _ in range(choices.randint(2, 5)):
            kind = choices.choice(
                ("gate", "gate", "gate", "measure", "reset", "if", "else", "for")[: 8 if depth < 2 else 5]
            )
            qubit = choices.randrange(qubits)
            if kind == "gate":
                circuit.ry(choices.uniform(0.2, 2.9), qubit)
                circuit.rz(choices.uniform(0.2, 2.9), qubit)
                circuit.cx(qubit, (qubit + choices.randint(1, qubits - 1)) % qubits)
                circuit.h((qubit + 1) % qubits)
            elif kind == "measure":
                circuit.measure(qubit, choices.randrange(qubits))
            elif kind == "reset":
                circuit.reset(qubit)
            elif kind == "for":
                with circuit.for_loop(range(2)):
                    circuit.ry(choices.uniform(0.2, 2.9), qubit)
                    circuit.measure(qubit, choices.randrange(qubits))
            else:
                with circuit.if_test((choices.randrange(qubits), choices.randrange(2))) as otherwise:
                    some(depth + 1)
                if kind == "else":
                    with otherwise:
                        some(depth + 1)

    for _ in range(2):
        some(0)
    # Few are measured, so that each outcome is frequent enough to be compared.
    last = choices.sample(range(qubits), 3)
    circuit.measure(last, choices.sample(range(qubits), 3))
    return circuit


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("shots", [1, 31, SHOTS])
def test_distribution_is_that_of_rows(text: str, shots: int) -> None:
    program = load(text)
    rows = Simulator(LIMITS).run(program, SHOTS, RunOptions(method=Method.STATEVECTOR, seed=3))
    assert rows.engine is Engine.LIGHTNING
    ours: Counter[str] = Counter()
    for seed in range(max(1, min(200, SHOTS // shots))):
        ours.update(histories(program, shots, seed))
    assert_samples_agree(ours, rows.counts)


@pytest.mark.parametrize("seed", long_after(6, range(16)))
def test_random_circuits_are_numpys(seed: int) -> None:
    circuit = random_circuit(Random(seed), 4 + seed % 3)
    program = program_of(circuit)
    if program.lowered.num_qubits == circuit.num_qubits and branching_circuit(program.lowered) is not None:
        assert_counts_match(histories(program, seed=seed), exact_distribution(circuit), SHOTS)


@pytest.mark.parametrize("seed", long_after(2, range(6)))
def test_wide_random_circuits_are_numpys(seed: int) -> None:
    circuit = random_circuit(Random(100 + seed), 13 + seed % 2)
    program = program_of(circuit)
    found = Simulator(LIMITS).run(program, SHOTS, RunOptions(method=Method.STATEVECTOR, seed=seed))
    assert found.engine is Engine.LIGHTNING
    assert_counts_match(found.counts, exact_distribution(circuit), SHOTS)


@pytest.mark.parametrize("most_stored", [0, 1, 3, 60])
def test_shots_in_parts_have_the_same_distribution(most_stored: int) -> None:
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(5, "c"))
    for bit, qubit in enumerate((0, 1, 0)):
        circuit.ry(0.8 + 0.2 * bit, qubit)
        circuit.cx(qubit, 2)
        circuit.measure(qubit, bit)
        with circuit.if_test((bit, 1)):
            circuit.ry(1.1, 2)
    circuit.measure([1, 2], [3, 4])
    assert_counts_match(histories(program_of(circuit), most_stored=most_stored), exact_distribution(circuit), SHOTS)


def test_parts_do_not_favour_outcomes_with_few_histories() -> None:
    """Where a first bit is 1 there are three more divisions; it is 1 in half of the shots, whatever fits."""
    program = load(
        "qubit q; bit[4] c; h q; c[0] = measure q; "
        "if (c[0]) { h q; c[1] = measure q; h q; c[2] = measure q; h q; c[3] = measure q; }"
    )
    circuit, lightning = branching_circuit(program.lowered), load_lightning()
    assert circuit is not None
    assert lightning is not None
    runs = 1000
    for run, most in ((outcomes_of_shots, 3), (outcomes_of_histories, 1)):
        ones = 0
        for seed in range(runs):
            counts = run(circuit, 6, seed, lightning, most)
            ones += sum(times for outcome, times in counts.items() if outcome & 1)
        assert_counts_match({"1": ones, "0": 6 * runs - ones}, {"0": 0.5, "1": 0.5}, 6 * runs)


def test_loops_have_no_bound_on_divisions() -> None:
    loop, line = (
        branching_circuit(load(PROGRAMS["repeat until success"]).lowered),
        branching_circuit(load(PROGRAMS["nested"]).lowered),
    )
    assert loop is not None
    assert line is not None
    assert most_divisions(loop, 77) == 77
    assert most_divisions(line, 77) == 3


def test_few_shots_with_many_outcomes_run_so_too() -> None:
    """Shots of one seed each, as the service would run them."""
    program, simulator = load(PROGRAMS["nested"]), Simulator(LIMITS)
    found: Counter[str] = Counter()
    for seed in range(SHOTS // 5):
        simulation = simulator.run(program, 5, RunOptions(method=Method.STATEVECTOR, seed=seed))
        assert simulation.engine is Engine.LIGHTNING
        found.update(simulation.counts)
    assert_samples_agree(found, simulator.run(program, SHOTS, RunOptions(method=Method.STATEVECTOR, seed=1)).counts)


def test_same_seed_gives_the_same_counts_and_shots_in_order() -> None:
    program = program_of(random_circuit(Random(3), 13))
    one, same, other = (
        Simulator(LIMITS).run(program, 200, RunOptions(method=Method.STATEVECTOR, seed=seed, memory=True))
        for seed in (5, 5, 6)
    )
    assert (one.counts, one.memory) == (same.counts, same.memory)
    assert one.counts != other.counts
    assert Counter(one.memory) == one.counts


def test_early_measurement_of_a_large_circuit() -> None:
    """A qubit decides whether 20 others are in one GHZ state or in another, and is then measured again."""
    circuit = QuantumCircuit(QuantumRegister(21), ClassicalRegister(22, "c"))
    circuit.ry(1.0, 0)
    circuit.measure(0, 0)
    circuit.h(0)
    for qubit in range(20):
        circuit.cx(qubit, qubit + 1)
    circuit.t(range(21))
    with circuit.if_test((0, 1)):
        circuit.x(range(1, 21, 2))
    circuit.measure(range(21), range(1, 22))
    simulation = Simulator(LIMITS).run(program_of(circuit), 1000, RunOptions(seed=4))
    assert simulation.engine is Engine.LIGHTNING
    flipped = sum(1 << qubit for qubit in range(1, 21, 2))
    one = np.sin(0.5) ** 2
    expected = {
        format((ghz ^ (flipped if bit else 0)) << 1 | bit, "022b"): (one if bit else 1 - one) / 2
        for bit in (0, 1)
        for ghz in (0, 2**21 - 1)
    }
    assert_counts_match(simulation.counts, expected, 1000)


def test_state_that_does_not_fit_twice_runs_on_aer() -> None:
    program = program_of(random_circuit(Random(5), 13))
    simulator = Simulator(ExecutionLimits(memory_bytes=1 << 20, small_memory_bytes=200 << 10))
    assert simulator.run(program, 10, RunOptions(method=Method.STATEVECTOR)).engine is Engine.AER


def final(circuit: QuantumCircuit) -> list[tuple[int, int]]:
    return list(without_final_measurements(steps_of(circuit), circuit.clbits)[1])


def test_measurement_that_nothing_follows_is_final() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.measure(0, 0)
    circuit.h(1)
    circuit.measure(1, 1)
    with circuit.if_test((1, 1)):
        circuit.x(2)
    circuit.measure(2, 2)
    others, ends = without_final_measurements(steps_of(circuit), circuit.clbits)
    assert list(ends) == [(0, 0), (2, 2)]
    assert [step[0] for step in others] == ["h", "measure", "if_else"]


@pytest.mark.parametrize("use", ["gate", "reset", "measured again", "bit written", "in a branch", "bit of a condition"])
def test_measurement_that_something_follows_is_not_final(use: str) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    body = QuantumCircuit(1)
    body.x(0)
    if use == "gate":
        circuit.h(0)
    elif use == "reset":
        circuit.reset(0)
    elif use == "measured again":
        circuit.measure(0, 1)
    elif use == "bit written":
        circuit.measure(1, 0)
    elif use == "in a branch":
        circuit.if_else((circuit.clbits[1], True), body, None, [0], [])
    else:
        # The condition's bit is none of the instruction's.
        circuit.if_else((circuit.clbits[0], True), body, None, [1], [])
    assert (0, 0) not in final(circuit)


@pytest.mark.parametrize("place", ["left", "right"])
def test_measurement_into_a_bit_that_is_stored_or_read_is_not_final(place: str) -> None:
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    target, value = circuit.clbits if place == "left" else reversed(circuit.clbits)
    circuit.store(expr.lift(target), expr.lift(value))
    assert final(circuit) == []


def test_measurement_into_a_register_that_a_condition_reads_is_not_final() -> None:
    register = ClassicalRegister(2)
    circuit = QuantumCircuit(QuantumRegister(2), register)
    circuit.measure(0, 1)
    with circuit.if_test(expr.less(register, expr.lift(2, types.Uint(2)))):
        circuit.x(1)
    assert final(circuit) == []


def numbers_of_histories(flow: list[Instruction], shots: int) -> list[int]:
    return [number for _, number in expected_histories(BranchingCircuit(2, 2, flow, ()), shots)]


def gate() -> Gates:
    return Gates([("h", [0], (), (), None)])


def test_expected_histories_double_at_divisions() -> None:
    flow: list[Instruction] = [gate(), Measure(0, 0), gate(), Reset(0), gate(), Measure(0, 1), gate()]
    assert numbers_of_histories(flow, 5) == [1, 1, 2, 2, 4, 4, 5, 5]


def test_histories_double_only_where_gates_have_acted_on_the_qubit() -> None:
    flow: list[Instruction] = [Reset(0), gate(), Measure(0, 0), Reset(0), Measure(1, 1)]
    assert numbers_of_histories(flow, 1000) == [1, 1, 1, 2, 2, 2]


def test_condition_holds_for_half_of_the_histories() -> None:
    branch: list[Instruction] = [Jump(lambda rows: rows[:, 0], target=4), gate()]
    assert numbers_of_histories([gate(), Measure(0, 0), *branch, gate()], 1000) == [1, 1, 2, 1, 2, 2]


def test_wide_clifford_circuit_with_few_histories_shares_them() -> None:
    text = "qubit[14] q; bit[15] c; h q[0]; for int i in [0:12] { cx q[i], q[i + 1]; } c[14] = measure q[0]; "
    few = load(text + "if (c[14]) { x q[1]; } c[0:13] = measure q;")
    many = load(text + 20 * "h q[0]; c[14] = measure q[0]; if (c[14]) { x q[1]; } " + "c[0:13] = measure q;")
    assert choose(few.lowered, 1024, Method.AUTOMATIC, LIMITS).method.name is Method.STATEVECTOR
    assert choose(many.lowered, 100_000, Method.AUTOMATIC, LIMITS).method.name is Method.STABILIZER
    both = [
        Simulator(LIMITS).run(few, SHOTS, RunOptions(method=method, seed=1))
        for method in (Method.STATEVECTOR, Method.STABILIZER)
    ]
    assert_samples_agree(both[0].counts, both[1].counts)

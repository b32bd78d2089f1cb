"""Programs that measure, reset, branch and loop before their end, in rows of shots: against Aer and plain Python."""

import io
from base64 import b64encode
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from qiskit import qpy
from qiskit.circuit import ClassicalRegister, Clbit, Parameter, QuantumCircuit
from qiskit.circuit.classical import expr, types

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.backend import Engine
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.operations import steps_of
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.branches.branching import BranchingCircuit
from ketline.execution.simulators.branches.conditions import NotVectorized, value_of
from ketline.execution.simulators.branches.flow import flow_of
from ketline.execution.simulators.branches.run import outcomes_of_shots
from ketline.execution.simulators.states.lightning_state import load_lightning
from tests.blocks import long_after
from tests.reference import assert_counts_match

LIMITS = ExecutionLimits()
HEAD = 'OPENQASM 3.0; include "stdgates.inc";'
SHOTS = 4000
PROGRAMS = {
    "measured twice": "qubit q; bit[2] c; ry(0.7) q; c[0] = measure q; ry(1.1) q; c[1] = measure q;",
    "reset of an entangled qubit": "qubit[2] q; bit[2] c; ry(0.7) q[0]; cx q[0], q[1]; reset q[0]; h q[0]; "
    "c = measure q;",
    "branch": "qubit[2] q; bit[2] c; ry(0.7) q[0]; c[0] = measure q[0]; "
    "if (c[0]) { ry(0.4) q[1]; } else { ry(2) q[1]; } c[1] = measure q[1];",
    "branch on a register": "qubit[3] q; bit[3] c; ry(0.7) q[0]; h q[1]; c[0] = measure q[0]; c[1] = measure q[1]; "
    "if (c == 2) { x q[2]; } c[2] = measure q[2];",
    "repeat until success": "qubit[2] q; bit[2] c; ry(1) q[0]; c[0] = measure q[0]; "
    "while (c[0]) { reset q[0]; ry(1) q[0]; ry(0.3) q[1]; c[0] = measure q[0]; } c[1] = measure q[1];",
    "break": "qubit[2] q; bit[3] c; for int i in [0:4] { ry(0.9) q[0]; c[0] = measure q[0]; ry(0.2 * i) q[1]; "
    "if (c[0]) { break; } x q[1]; } c[2] = measure q[1];",
    "continue": "qubit[2] q; bit[3] c; for int i in [0:4] { ry(0.9) q[0]; c[0] = measure q[0]; "
    "if (c[0]) { continue; } ry(0.2 * i) q[1]; } c[2] = measure q[1];",
    "nested": "qubit[3] q; bit[3] c; h q; c[0] = measure q[0]; if (c[0]) { c[1] = measure q[1]; if (c[1]) { h q[2]; } "
    "else { t q[2]; h q[2]; } } else { reset q[2]; } c[2] = measure q[2];",
    "rows of many qubits": "qubit[9] q; bit[9] c; for int i in [0:8] { ry(0.3 + 0.1 * i) q[i]; } "
    "for int i in [0:7] { cx q[i], q[i + 1]; } c[4] = measure q[4]; if (c[4]) { h q; } c = measure q;",
}


def load(text: str) -> Program:
    return load_program(f"{HEAD} {text}", LIMITS)


def counts_on(engine: Engine, program: Program, seed: int = 1) -> dict[str, int]:
    simulation = Simulator(ExecutionLimits(lightning=engine is Engine.LIGHTNING)).run(
        program, SHOTS, RunOptions(method=Method.STATEVECTOR, seed=seed)
    )
    assert simulation.engine is engine
    return dict(simulation.counts)


def assert_same_distribution(program: Program) -> None:
    """Both samples agree with the mean of the two; Aer's is as large as ours."""
    ours, theirs = counts_on(Engine.LIGHTNING, program), counts_on(Engine.AER, program)
    both = {key: (ours.get(key, 0) + theirs.get(key, 0)) / (2 * SHOTS) for key in {*ours, *theirs}}
    assert_counts_match(ours, both, SHOTS)
    assert_counts_match(theirs, both, SHOTS)


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_distribution_is_aers(text: str) -> None:
    assert_same_distribution(load(text))


def circuit_with_a_loop_over_angles() -> QuantumCircuit:
    circuit, angle = QuantumCircuit(2, 2), Parameter("angle")
    with circuit.for_loop((1, 3, 5), angle):
        circuit.rx(angle * 0.3, 0)
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.ry(0.8, 1)
            circuit.break_loop()
        circuit.ry(0.2, 1)
    circuit.measure(1, 1)
    return circuit


def circuit_whose_blocks_have_bits_of_their_own() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 3)
    body = QuantumCircuit(1, 2)
    body.h(0)
    body.measure(0, 1)
    other = QuantumCircuit(1, 2)
    other.ry(0.6, 0)
    circuit.ry(1.2, 0)
    circuit.measure(0, 2)
    circuit.if_else((circuit.clbits[2], True), body, other, [1], [2, 0])
    circuit.measure(1, 1)
    return circuit


def circuit_with_a_while_loop() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.while_loop(expr.lift(circuit.clbits[0])):
        circuit.ry(1.0, 1)
        circuit.measure(1, 1)
        with circuit.if_test((1, 0)):
            circuit.continue_loop()
        circuit.reset(0)
        circuit.measure(0, 0)
    circuit.h(1)
    circuit.measure(1, 2)
    return circuit


@pytest.mark.parametrize(
    "make",
    [circuit_with_a_loop_over_angles, circuit_whose_blocks_have_bits_of_their_own, circuit_with_a_while_loop],
)
def test_circuits_of_qiskit(make: Callable[[], QuantumCircuit]) -> None:
    file = io.BytesIO()
    qpy.dump(make(), file)
    text = b64encode(file.getvalue()).decode()
    assert_same_distribution(load_program(text, LIMITS, form=ProgramFormat.QPY))


@pytest.mark.parametrize("most_rows", [1, 3, 1000])
def test_shots_in_parts_have_the_same_distribution(most_rows: int) -> None:
    """Two measurements of qubits that are rotated by known angles."""
    circuit = QuantumCircuit(1, 2)
    circuit.ry(0.8, 0)
    circuit.measure(0, 0)
    circuit.ry(1.3, 0)
    circuit.measure(0, 1)
    first, flip = np.sin(0.4) ** 2, np.sin(0.65) ** 2
    lightning = load_lightning()
    assert lightning is not None
    branching = BranchingCircuit(1, 2, flow_of(steps_of(circuit), 1, circuit.clbits), ())
    counts = outcomes_of_shots(branching, SHOTS, 3, lightning, most_rows)
    assert sum(counts.values()) == SHOTS
    assert_counts_match(
        {format(outcome, "02b"): times for outcome, times in counts.items()},
        {
            "00": (1 - first) * (1 - flip),
            "10": (1 - first) * flip,
            "01": first * flip,
            "11": first * (1 - flip),
        },
        SHOTS,
    )


def test_shots_in_order_are_those_of_the_counts() -> None:
    simulation = Simulator(LIMITS).run(
        load(PROGRAMS["branch"]), 100, RunOptions(method=Method.STATEVECTOR, memory=True, seed=2)
    )
    memory = list(simulation.memory or ())
    assert {key: memory.count(key) for key in simulation.counts} == simulation.counts
    assert memory != sorted(memory)


def test_same_seed_gives_the_same_counts() -> None:
    program = load(PROGRAMS["nested"])
    assert counts_on(Engine.LIGHTNING, program, 5) == counts_on(Engine.LIGHTNING, program, 5)
    assert counts_on(Engine.LIGHTNING, program, 5) != counts_on(Engine.LIGHTNING, program, 6)


BITS = [Clbit() for _ in range(5)]
REGISTER = ClassicalRegister(bits=BITS[1:4], name="r")
COLUMNS = {bit: number for number, bit in enumerate(BITS)}


def number_in(bits: Sequence[bool]) -> int:
    return sum(1 << place for place, bit in enumerate(bits[1:4]) if bit)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (expr.lift(BITS[2]), lambda bits: bits[2]),
        (expr.bit_not(BITS[2]), lambda bits: not bits[2]),
        (expr.logic_not(BITS[0]), lambda bits: not bits[0]),
        (expr.bit_and(BITS[0], expr.bit_not(BITS[4])), lambda bits: bits[0] and not bits[4]),
        (expr.bit_or(BITS[0], BITS[4]), lambda bits: bits[0] or bits[4]),
        (expr.bit_xor(BITS[0], BITS[4]), lambda bits: bits[0] != bits[4]),
        (expr.logic_and(BITS[0], BITS[1]), lambda bits: bits[0] and bits[1]),
        (expr.logic_or(BITS[0], BITS[1]), lambda bits: bits[0] or bits[1]),
        (expr.Value(True, types.Bool()), lambda _: True),
        (expr.equal(REGISTER, 5), lambda bits: number_in(bits) == 5),
        (expr.not_equal(REGISTER, 5), lambda bits: number_in(bits) != 5),
        (expr.less(REGISTER, 3), lambda bits: number_in(bits) < 3),
        (expr.less_equal(REGISTER, 3), lambda bits: number_in(bits) <= 3),
        (expr.greater(REGISTER, 3), lambda bits: number_in(bits) > 3),
        (expr.greater_equal(REGISTER, 3), lambda bits: number_in(bits) >= 3),
        (expr.equal(expr.bit_and(REGISTER, 6), 4), lambda bits: number_in(bits) & 6 == 4),
        (expr.equal(expr.bit_not(REGISTER), 2), lambda bits: ~number_in(bits) & 7 == 2),
        ((BITS[3], 0), lambda bits: not bits[3]),
        ((BITS[3], 1), lambda bits: bits[3]),
        ((REGISTER, 6), lambda bits: number_in(bits) == 6),
    ],
)
def test_condition_is_what_python_says(node: Any, expected: Callable[[Sequence[bool]], bool]) -> None:
    rows = np.array([[bool(number >> place & 1) for place in range(5)] for number in range(32)])
    assert list(value_of(node, COLUMNS)(rows)) == [expected(list(map(bool, row))) for row in rows]


@pytest.mark.parametrize(
    "node",
    [
        expr.equal(expr.add(REGISTER, 1), 2),
        expr.equal(expr.shift_left(REGISTER, 1), 2),
        expr.lift(Clbit()),
        expr.cast(REGISTER, types.Bool()),
        (ClassicalRegister(63), 5),
    ],
)
def test_what_is_not_evaluated_here_is_said_so(node: Any) -> None:
    with pytest.raises(NotVectorized):
        value_of(node, COLUMNS)


def test_program_with_such_a_condition_runs_on_aer() -> None:
    """A register of 63 bits is compared."""
    text = "qubit q; bit[63] c; h q; c[0] = measure q; if (c == 1) { x q; } c[62] = measure q;"
    program = load(text)
    simulation = Simulator(LIMITS).run(program, 100, RunOptions(method=Method.STATEVECTOR))
    assert set(simulation.counts) <= {"0" * 63, "0" * 62 + "1"}


@pytest.mark.parametrize("seed", long_after(4, range(12)))
def test_random_circuits(seed: int) -> None:
    choices = Random(seed)
    circuit = QuantumCircuit(3, 3)

    def some(depth: int) -> None:
        for _ in range(choices.randint(1, 4)):
            kind = choices.choice(
                ["gate", "gate", "measure", "reset", "if", "else"] if depth < 3 else ["gate", "measure"]
            )
            qubit = choices.randrange(3)
            if kind == "gate":
                circuit.ry(choices.uniform(0.2, 2.9), qubit)
                circuit.cx(qubit, (qubit + 1) % 3)
            elif kind == "measure":
                circuit.measure(qubit, choices.randrange(3))
            elif kind == "reset":
                circuit.reset(qubit)
            else:
                with circuit.if_test((choices.randrange(3), choices.randrange(2))) as otherwise:
                    some(depth + 1)
                if kind == "else":
                    with otherwise:
                        some(depth + 1)

    for _ in range(3):
        some(0)
    circuit.measure(range(3), range(3))
    file = io.BytesIO()
    qpy.dump(circuit, file)
    program = load_program(b64encode(file.getvalue()).decode(), LIMITS, form=ProgramFormat.QPY)
    if program.lowered.final_measurements is None:
        assert_same_distribution(program)

"""Lowering keeps what a circuit does: random programs against Qiskit's own importer and dense statevector."""

import random
import re

import pytest
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.circuit.operations import count_with_blocks
from ketline.execution.circuit.passes.lowering import lower
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after
from tests.branches import exact_distribution
from tests.reference import assert_counts_match, terminal_probabilities

SHOTS = 2000
GATES = {
    **dict.fromkeys(("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "id"), (0, 1)),
    **dict.fromkeys(("p", "rx", "ry", "rz", "u1", "phase"), (1, 1)),
    **dict.fromkeys(("u2",), (2, 1)),
    **dict.fromkeys(("u3", "U"), (3, 1)),
    **dict.fromkeys(("cx", "cy", "cz", "ch", "swap", "CX"), (0, 2)),
    **dict.fromkeys(("cp", "crx", "cry", "crz", "cphase"), (1, 2)),
    **dict.fromkeys(("ccx", "cswap"), (0, 3)),
    "cu": (4, 2),
    "mine": (2, 2),
}
MODIFIERS = ("", "", "", "inv @ ", "ctrl @ ", "negctrl @ ", "inv @ ctrl @ ", "pow(2) @ ", "pow(0.5) @ ")


def random_program(seed: int) -> str:
    source = random.Random(seed)
    lines = ["gate mine(a, b) p, q { rx(a) p; cx p, q; gphase(b); ry(b / 2) q; }", "qubit[5] q;", "bit[5] c;", "h q;"]
    for _ in range(20):
        name, (parameters, qubits) = source.choice(list(GATES.items()))
        modifier = source.choice(MODIFIERS)
        operands = source.sample(range(5), qubits + ("ctrl" in modifier))
        angles = ", ".join(f"{source.uniform(-4, 4):.4f}" for _ in range(parameters))
        call = f"{name}({angles})" if parameters else name
        lines.append(f"{modifier}{call} " + ", ".join(f"q[{operand}]" for operand in operands) + ";")
    return 'OPENQASM 3.0; include "stdgates.inc";\n' + "\n".join(lines) + "\nc = measure q;"


# What the specification's gates have over Qiskit's of these names, written out: Qiskit's importer reads its own. It
# takes the parameters of a gate in the order of the alphabet.
PHASED = """
gate spec_U(a, b, c) p { gphase(a / 2); U(a, b, c) p; }
gate spec_u2(a, b) p { gphase(-(a + b) / 2); u2(a, b) p; }
gate spec_u3(a, b, c) p { gphase(-(b + c) / 2); u3(a, b, c) p; }
"""


def as_qiskit_reads_it(text: str) -> str:
    """A program for which Qiskit's importer gives what the specification says of `text`."""
    head, body = text.split("\n", 1)
    return head + PHASED + re.sub(r"\b(U|u2|u3)\(", r"spec_\1(", body)


@pytest.mark.parametrize("seed", range(12))
def test_random_circuit_gives_the_reference_distribution(simulator: Simulator, seed: int) -> None:
    text = random_program(seed)
    counts = simulator.run(load_program(text, ExecutionLimits()), SHOTS).counts
    assert_counts_match(counts, terminal_probabilities(as_qiskit_reads_it(text)), SHOTS)


def test_operations_are_counted_after_inlining() -> None:
    text = 'include "stdgates.inc"; qubit[4] q; bit c; ctrl(3) @ h q[0], q[1], q[2], q[3]; c = measure q[3];'
    limits = ExecutionLimits(max_operations=4)
    with pytest.raises(ProgramTooLarge, match="more than 4 operations"):
        load_program(text, limits)


@pytest.mark.parametrize("before", ["", "const int n = 1; "])
def test_controls_one_by_one_cost_what_they_cost_at_once(before: str) -> None:
    text = f'include "stdgates.inc"; {before}qubit[7] q; bit c; %s crx(1) {", ".join(f"q[{at}]" for at in range(7))}; '
    text += "c = measure q[6];"
    one_by_one, at_once = (
        load_program(text % controls, ExecutionLimits()) for controls in ("ctrl @ " * 5, "ctrl(5) @")
    )
    assert one_by_one.lowered.operations == at_once.lowered.operations


def test_first_resets_are_left_out() -> None:
    """Qubits are 0 at the start, so that a circuit which resets them first is measured at its end only."""
    circuit = QuantumCircuit(2, 2)
    circuit.reset([0, 1])
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    lowered = lower(plain_of(circuit), 100)
    assert lowered.operations == {"h": 1, "cx": 1, "measure": 2}
    assert lowered.final_measurements == [(0, 0), (1, 1)]


def test_reset_of_an_entangled_qubit_stays() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.reset(0)
    circuit.measure([0, 1], [0, 1])
    assert lower(plain_of(circuit), 100).operations["reset"] == 1


def test_what_a_reset_forgets_is_left_out() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h([0, 1])
    circuit.t(0)
    circuit.reset(0)
    circuit.measure([0, 1], [0, 1])
    lowered = lower(plain_of(circuit), 100)
    assert lowered.operations == {"h": 1, "measure": 2}
    assert lowered.final_measurements == [(0, 0), (1, 1)]


def test_branch_on_which_no_bit_depends_is_left_out() -> None:
    circuit = QuantumCircuit(QuantumRegister(4), ClassicalRegister(2, "c"))
    circuit.h([0, 1, 2, 3])
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(2)
        circuit.cx(2, 3)
    circuit.measure(1, 1)
    with circuit.if_test((1, 1)):
        circuit.x(1)
    lowered = lower(plain_of(circuit), 100)
    assert lowered.operations == {"h": 2, "measure": 2}
    assert list(lowered.kept_qubits) == [0, 1]
    assert lowered.final_measurements == [(0, 0), (1, 1)]


@pytest.mark.parametrize("what", ["measured in a branch", "measured in a loop", "loop that may not end", "entangled"])
def test_branch_on_which_a_bit_depends_stays(what: str) -> None:
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(2, "c"))
    circuit.h([0, 1, 2])
    circuit.measure(0, 0)
    if what == "measured in a branch":
        with circuit.if_test((0, 1)):
            circuit.x(2)
            circuit.measure(2, 1)
    elif what == "measured in a loop":
        with circuit.for_loop(range(2)), circuit.if_test((0, 1)):
            circuit.measure(2, 1)
    elif what == "loop that may not end":
        with circuit.while_loop((0, 1)):
            circuit.x(2)
    else:
        with circuit.if_test((0, 1)):
            circuit.cx(2, 1)
        circuit.measure(1, 1)
    lowered = lower(plain_of(circuit), 100)
    assert lowered.has_control_flow
    assert 2 in lowered.kept_qubits


@pytest.mark.parametrize("seed", long_after(20, range(60)))
def test_random_circuit_that_branches_has_the_same_distribution_when_lowered(seed: int) -> None:
    """Exactly, by plain numpy: few of the qubits are measured, so that much is left out."""
    choices = random.Random(seed)
    circuit = QuantumCircuit(QuantumRegister(5, "q"), ClassicalRegister(3, "c"))

    def some(depth: int) -> None:
        for _ in range(choices.randint(2, 6)):
            qubit = choices.randrange(5)
            kind = choices.choices(("gate", "reset", "measure", "if", "for"), (8, 3, 1, 2, 1 if depth < 2 else 0))[0]
            if kind == "gate":
                circuit.ry(choices.uniform(0.2, 2.9), qubit)
                circuit.cx(qubit, choices.choice([other for other in range(5) if other != qubit]))
            elif kind == "reset":
                circuit.reset(qubit)
            elif kind == "measure":
                circuit.measure(choices.randrange(2), choices.randrange(3))
            elif kind == "for":
                with circuit.for_loop(range(2)):
                    circuit.ry(choices.uniform(0.2, 2.9), qubit)
                    circuit.cx(qubit, (qubit + 1) % 5)
            elif depth < 2:
                with circuit.if_test((choices.randrange(3), choices.randrange(2))):
                    some(depth + 1)

    for _ in range(3):
        some(0)
    circuit.measure(0, 0)
    lowered = lower(plain_of(circuit), 10_000)
    expected, found = exact_distribution(circuit), exact_distribution(lowered.circuit)
    assert {key: found.get(key, 0) for key in expected} == pytest.approx(expected, abs=1e-9)
    assert sum(found.values()) == pytest.approx(1)
    assert lowered.operations == count_with_blocks(lowered.steps)

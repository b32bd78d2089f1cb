"""Lowering keeps what a circuit does: random programs against Qiskit's own importer and dense statevector."""

import random
import re

import pytest

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
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

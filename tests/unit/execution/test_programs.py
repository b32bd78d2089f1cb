"""Programs give the right counts; outcomes here are certain, so that no statistics is needed."""

import pytest

from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.unit.execution.conftest import Run

CERTAIN = {
    "registers, the last declared first": ("bit[2] a; bit[3] b; qubit q; x q; a[0] = measure q;", "000 01"),
    "single bits only, as one group": ("bit a; bit b; qubit q; x q; b = measure q;", "10"),
    "single bits among registers": (
        "bit a; bit[2] c; bit b; bit d; qubit q; x q; a = measure q; b = measure q; c[1] = measure q;",
        "01 10 1",
    ),
    "aliases of bits, which are no group": (
        "qubit[4] q; bit[2] a; bit[2] b; let d = a ++ b; x q[0]; d = measure q;",
        "00 01",
    ),
    "declared and measured at once": ("qubit[2] q; x q[1]; bit[2] c = measure q; bit d = measure q[1];", "1 10"),
    "OpenQASM 2 style declarations": ("qreg q[2]; creg c[2]; x q[1]; measure q -> c;", "10"),
    "physical qubits": ("bit c; x $3; c = measure $3;", "1"),
    "qubit aliases": ("qubit[4] q; bit[4] c; let a = q[1:2]; x a; c = measure q;", "0110"),
    "gates on registers": ("qubit[3] q; qubit a; bit[3] c; x a; cx a, q; c = measure q;", "111"),
    "a range up to the last qubit": ("qubit[3] q; bit[3] c; x q[-2:-1]; c = measure q[0:-1];", "110"),
    "a range backwards to the first qubit": ("qubit[3] q; bit[3] c; x q[1:-1:0]; c = measure q[2:-1:0];", "110"),
    "a range up to the last qubit, in a loop": (
        "qubit[3] q; bit[3] c; for int i in [1:1] { x q[i:-1]; } c = measure q;",
        "110",
    ),
    "functions and powers in angles": (
        "qubit[2] q; bit[2] c; rx(2 ** 2 * arctan(1)) q[0]; ry(mod(7, 4) * pi - sqrt(9) * pi) q[1]; c = measure q;",
        "01",
    ),
    "mid-circuit measurement": ("qubit q; bit[2] c; x q; c[0] = measure q; x q; c[1] = measure q;", "01"),
    "reset": ("qubit q; bit c; x q; reset q; c = measure q;", "0"),
    "if": ("qubit[2] q; bit[2] c; bit m; x q[0]; m = measure q[0]; if (m) { x q[1]; } c = measure q;", "1 11"),
    "else": ("qubit[2] q; bit[2] c; if (c[0]) { x q[0]; } else { x q[1]; } c = measure q;", "10"),
    "a bit compared with a number": ("qubit[2] q; bit[2] c; bit m; if (m == 0) x q[1]; c = measure q;", "0 10"),
    "a register compared with a number": (
        "qubit[2] q; bit[2] c; x q; c = measure q; if (c == 3) { x q[0]; } c = measure q;",
        "10",
    ),
    "a part of a register compared": (
        "qubit[4] q; bit[4] c; x q[1]; c = measure q; if (c[0:1] == 2) { x q[3]; } c[3] = measure q[3];",
        "1010",
    ),
    "nested ifs on registers": (
        "qubit[2] q; bit[2] c; bit[1] d; x q; c = measure q; "
        "if (c == 3) { if (d == 0) { x q[0]; } else { x q[1]; } } c = measure q;",
        "0 10",
    ),
    "a register of more than 64 bits compared": (
        "qubit q; bit[70] c; x q; c[69] = measure q; if (c == 590295810358705651712) { x q; } c[0] = measure q;",
        "1" + "0" * 69,
    ),
    "for over a range with a step, as an index": (
        "qubit[4] q; bit[4] c; for int i in [0:2:3] { x q[i]; } c = measure q;",
        "0101",
    ),
    "for over a set with repeats": ("qubit[2] q; bit[2] c; for uint j in {1, 0, 1} x q[j]; c = measure q;", "01"),
    "nested for": (
        "qubit[3] q; bit[3] c; for int i in [0:2] { for int j in [0:i] { x q[j]; } } c = measure q;",
        "101",
    ),
    "for with feedback": (
        "qubit[3] q; bit[3] c; for int i in [0:2] { x q[i]; c[i] = measure q[i]; if (c[i]) x q[i]; } c = measure q;",
        "000",
    ),
    "for left by break": (
        "qubit[2] q; bit[2] c; for int i in [1:4] { x q[0]; c[0] = measure q[0]; if (c[0]) { break; } x q[1]; } "
        "c = measure q;",
        "01",
    ),
    "for without qubits, left by break": (
        "qubit[2] q; bit[3] c; x q; c[0] = measure q[0]; for int i in [0:1] { if (c[0]) break; } c[1] = measure q[1];",
        "011",
    ),
    "for without qubits, with continue": (
        "qubit q; bit[2] c; x q; c[0] = measure q; c[1] = measure q; for int i in [0:1] { if (c[0]) continue; }",
        "11",
    ),
    "for without qubits, left at once": ("qubit q; bit c; x q; for int i in [0:1] { break; } c = measure q;", "1"),
    "while without qubits, left by break": (
        "qubit q; bit[2] c; x q; c[0] = measure q; while (c[0]) { if (c[0]) break; } c[1] = measure q;",
        "11",
    ),
    "for with continue": (
        "qubit[2] q; bit[2] c; for int i in [0:2] { x q[0]; c[0] = measure q[0]; if (c[0]) { continue; } x q[1]; } "
        "c = measure q;",
        "11",
    ),
    "a loop variable as an angle in a loop with break": (
        "qubit[2] q; bit[2] c; for int i in [1:2] { rx(pi * i) q[0]; c[1] = measure q[1]; if (c[1]) { break; } } "
        "c = measure q;",
        "01",
    ),
    "while until a bit is 0": ("qubit q; bit c; h q; c = measure q; while (c) { h q; c = measure q; }", "0"),
    "while with nothing measured after it": (
        "qubit[3] q; bit[2] c; x q[0]; while (c == 0) { c[0] = measure q[0]; x q[2]; h q[1]; } x q[1];",
        "01",
    ),
    "while with break": (
        "qubit[2] q; bit[2] c; "
        "while (c[0] == false) { x q[0]; c[0] = measure q[0]; x q[1]; if (c[0]) { break; } } c = measure q;",
        "11",
    ),
    "custom gates with parameters": (
        "gate r(a, b) q { rx(a * b) q; ry(a / b) q; ry(-a / b) q; } qubit q; bit c; r(pi / 2, 2) q; c = measure q;",
        "1",
    ),
    "custom gates of custom gates": (
        "gate a q { x q; } gate b p, q { a p; cx p, q; } qubit[2] q; bit[2] c; b q[0], q[1]; c = measure q;",
        "11",
    ),
    "controls side by side": (
        "qubit[4] q; bit[4] c; x q[0]; x q[2]; ctrl @ negctrl @ ctrl @ x q[0], q[1], q[2], q[3]; c = measure q;",
        "1101",
    ),
    "controls side by side that do not hold": (
        "qubit[3] q; bit[3] c; x q[0]; negctrl @ ctrl @ x q[0], q[1], q[2]; c = measure q;",
        "001",
    ),
    "controls on both sides of an inverse": (
        "qubit[5] q; bit[5] c; x q[1]; x q[2]; negctrl @ ctrl @ inv @ ctrl @ negctrl @ x q[0], q[1], q[2], q[3], q[4]; "
        "c = measure q;",
        "10110",
    ),
    "ctrl, negctrl, inv and pow": (
        "qubit[3] q; bit[3] c; x q[0]; negctrl @ x q[1], q[2]; ctrl(2) @ x q[0], q[2], q[1]; pow(2) @ sx q[0]; "
        "inv @ s q[0]; c = measure q;",
        "110",
    ),
    "modifiers on custom gates": (
        "gate g a { gphase(pi / 2); barrier a; U(0, 0, 0) a; } qubit[2] q; bit[2] c; h q[0]; ctrl @ g q[0], q[1]; "
        "inv @ s q[0]; h q[0]; c = measure q;",
        "00",
    ),
    "modified gates inside if": (
        "qubit[2] q; bit[2] c; bit m; x q[0]; m = measure q[0]; if (m) { ctrl @ h q[0], q[1]; ch q[0], q[1]; x q[1]; } "
        "c = measure q;",
        "1 11",
    ),
    "many controls": (
        "qubit[6] q; bit[6] c; x q[0:4]; ctrl(5) @ x q[0], q[1], q[2], q[3], q[4], q[5]; c = measure q;",
        "111111",
    ),
    "controlled global phase": (
        "qubit[2] q; bit[2] c; h q[0]; x q[1]; ctrl(2) @ gphase(pi) q[0], q[1]; h q[0]; c = measure q;",
        "11",
    ),
    "phase controlled by zero": (
        "qubit[2] q; bit[2] c; h q[0]; ctrl @ negctrl @ gphase(pi) q[0], q[1]; h q[0]; c = measure q;",
        "01",
    ),
    "box and delays of both kinds of unit": (
        "qubit q; bit c; box { x q; delay[10dt] q; delay[3ns] q; } c = measure q;",
        "1",
    ),
    "a bare block": ("qubit q; bit c; { x q; } c = measure q;", "1"),
    "thirty nested ifs": ("qubit q; bit c; " + "if (c == 0) { " * 30 + "x q;" + "}" * 30 + " c = measure q;", "1"),
}


@pytest.mark.parametrize(("body", "outcome"), CERTAIN.values(), ids=CERTAIN.keys())
def test_counts(run: Run, body: str, outcome: str) -> None:
    assert run(body) == {outcome: 100}


AER_NAMES = [
    "kraus",
    "unitary",
    "diagonal",
    "multiplexer",
    "initialize",
    "ecr",
    "mcx",
    "save_state",
    "pauli",
    "superop",
]


@pytest.mark.parametrize("name", AER_NAMES)
def test_gate_named_like_an_aer_operation_is_the_programs_own(run: Run, name: str) -> None:
    body = f"gate {name} a, b {{ x a; cx a, b; }} qubit[2] q; bit[2] c; {name} q[0], q[1]; c = measure q;"
    assert run(body) == {"11": 100}


@pytest.mark.parametrize("name", ["h", "x", "cx", "swap"])
@pytest.mark.parametrize("modifier", ["", "inv @ ", "pow(1) @ "])
def test_gate_named_like_a_standard_gate_is_the_programs_own(simulator: Simulator, name: str, modifier: str) -> None:
    text = (
        f"gate {name} a, b {{ U(pi, 0, pi) a; U(pi, 0, pi) b; }} gate outer a, b {{ {modifier}{name} a, b; }}"
        "qubit[2] q; bit[2] c; outer q[0], q[1]; c = measure q;"
    )
    assert simulator.run(load_program(text, ExecutionLimits()), 50)[0] == {"11": 50}


def test_controlled_gate_named_like_a_standard_gate_is_the_programs_own(simulator: Simulator) -> None:
    text = (
        "gate h a { U(pi, 0, pi) a; } gate outer a { h a; } qubit[2] q; bit[2] c; "
        "h q[0]; ctrl @ outer q[0], q[1]; c = measure q;"
    )
    assert simulator.run(load_program(text, ExecutionLimits()), 50)[0] == {"11": 50}

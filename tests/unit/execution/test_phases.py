"""The built-in `U` under modifiers means what the specification says: against numpy, in every front end."""

import cmath
import math
import random
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import U2Gate, U3Gate, UGate, get_standard_gate_name_mapping
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator

from ketline.domain.errors import ProgramInvalid
from ketline.domain.results.result import WarningCode
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after
from tests.difference.controlled_u import assert_means_the_same, make_controlled_u

LIMITS = ExecutionLimits()
INCLUDE = 'OPENQASM 3.0; include "stdgates.inc";\n'
# Makes the third front end read a program.
TIERS = pytest.mark.parametrize("first", ["", "int unused = 0;\n"], ids=["importer", "unroller"])
# The text of the specification, by which its standard gates are defined. Source: OpenQASM 3.1, stdgates.inc.
OFFICIAL = """
gate p(λ) a { ctrl @ gphase(λ) a; }
gate x a { U(π, 0, π) a; gphase(-π/2);}
gate y a { U(π, π/2, π/2) a; gphase(-π/2);}
gate z a { p(π) a; }
gate h a { U(π/2, 0, π) a; gphase(-π/4);}
gate s a { pow(0.5) @ z a; }
gate sdg a { inv @ pow(0.5) @ z a; }
gate t a { pow(0.5) @ s a; }
gate tdg a { inv @ pow(0.5) @ s a; }
gate sx a { pow(0.5) @ x a; }
gate rx(θ) a { U(θ, -π/2, π/2) a; gphase(-θ/2);}
gate ry(θ) a { U(θ, 0, 0) a; gphase(-θ/2);}
gate rz(λ) a { gphase(-λ/2); U(0, 0, λ) a; }
gate cx a, b { ctrl @ x a, b; }
gate cy a, b { ctrl @ y a, b; }
gate cz a, b { ctrl @ z a, b; }
gate cp(λ) a, b { ctrl @ p(λ) a, b; }
gate crx(θ) a, b { ctrl @ rx(θ) a, b; }
gate cry(θ) a, b { ctrl @ ry(θ) a, b; }
gate crz(θ) a, b { ctrl @ rz(θ) a, b; }
gate ch a, b { ctrl @ h a, b; }
gate swap a, b { cx a, b; cx b, a; cx a, b; }
gate ccx a, b, c { ctrl @ ctrl @ x a, b, c; }
gate cswap a, b, c { ctrl @ swap a, b, c; }
gate cu(θ, φ, λ, γ) a, b { p(γ-θ/2) a; ctrl @ U(θ, φ, λ) a, b; }
gate CX a, b { ctrl @ U(π, 0, π) a, b; }
gate u1(λ) q { U(0, 0, λ) q; }
gate u2(φ, λ) q { gphase(-(φ+λ+π/2)/2); U(π/2, φ, λ) q; }
gate u3(θ, φ, λ) q { gphase(-(φ+λ+θ)/2); U(θ, φ, λ) q; }
"""
OFFICIAL_NAMES = [line.split("gate ")[1].split("(")[0].split(" ")[0] for line in OFFICIAL.strip().splitlines()]
Matrix = Any


def unitary(text: str) -> Matrix:
    return Operator(read_program(text, LIMITS).circuit).data


def equal_up_to_phase(one: Matrix, other: Matrix) -> bool:
    return bool(abs(abs(np.trace(one.conj().T @ other)) - len(one)) < 1e-9)


def u(theta: float, phi: float, lam: float) -> Matrix:
    """Source: OpenQASM 3 specification, "Built-in gates"."""
    turn = cmath.exp(1j * theta)
    return 0.5 * np.array(
        [
            [1 + turn, -1j * cmath.exp(1j * lam) * (1 - turn)],
            [1j * cmath.exp(1j * phi) * (1 - turn), cmath.exp(1j * (phi + lam)) * (1 + turn)],
        ]
    )


def qiskit_u(theta: float, phi: float, lam: float) -> Matrix:
    return cmath.exp(-0.5j * theta) * u(theta, phi, lam)


def test_the_two_readings_differ_by_half_the_first_angle() -> None:
    np.testing.assert_allclose(qiskit_u(0.3, 0.7, -1.1), UGate(0.3, 0.7, -1.1).to_matrix(), atol=1e-12)


@TIERS
@pytest.mark.parametrize(
    ("body", "qubits", "expected"),
    [
        (
            "gate nx a { U(pi,0,pi) a; gphase(-pi/2); } h q[0]; ctrl @ nx q[0], q[1]; ctrl @ nx q[0], q[1]; h q[0];",
            2,
            0,
        ),
        ("h q[0]; ctrl @ nx q[0], q[1]; inv @ ctrl @ nx q[0], q[1]; h q[0];", 2, 0),
        ("pow(0.5) @ U(3*pi/2,0,0) q[0];", 1, math.sin(math.pi / 8) ** 2),
        ("h q[0]; negctrl @ U(pi, 0, 0) q[0], q[1]; negctrl @ U(pi, 0, 0) q[0], q[1]; h q[0];", 2, 0),
        ("h q[0]; ctrl @ u3(pi, 0, pi) q[0], q[1]; ctrl @ u3(pi, 0, pi) q[0], q[1]; h q[0];", 2, 1),
    ],
)
def test_phases_show_under_modifiers(first: str, body: str, qubits: int, expected: float) -> None:
    defined = "" if "gate nx" in body else "gate nx a { U(pi,0,pi) a; gphase(-pi/2); }\n"
    text = f"{INCLUDE}{first}{defined}qubit[{qubits}] q; bit c; {body} c = measure q[0];"
    program = load_program(text, LIMITS)
    assert program.front_end == ("unroller" if first else "importer")
    counts = Simulator(LIMITS).run(program, 20_000).counts
    assert counts.get("1", 0) / 20_000 == pytest.approx(expected, abs=0.02 if 0 < expected < 1 else 0)


@TIERS
@pytest.mark.parametrize("name", OFFICIAL_NAMES)
@pytest.mark.parametrize("controls", [0, 1])
def test_the_official_definitions_are_qiskits_gates(first: str, name: str, controls: int) -> None:
    kind = get_standard_gate_name_mapping()["cx" if name == "CX" else name]
    angles = [0.3, -1.1, 0.7, 0.4][: len(kind.params)]
    gate: Any = type(kind)(*angles)
    if name in ("u2", "u3"):  # that of the specification is U of OpenQASM 2
        circuit = QuantumCircuit(1, global_phase=-sum(angles[-2:]) / 2)
        circuit.append(gate, [0])
        gate = circuit.to_gate()
    expected = QuantumCircuit(gate.num_qubits + controls)
    expected.append(gate.control(annotated=False) if controls else gate, range(expected.num_qubits))
    operands = ", ".join(f"q[{place}]" for place in range(expected.num_qubits))
    given = f"({', '.join(map(str, angles))})" if angles else ""
    call = f"qubit[{expected.num_qubits}] q; {'ctrl @ ' * controls}{name}{given} {operands};"
    for head in (f"OPENQASM 3.0;\n{OFFICIAL}", INCLUDE):
        assert equal_up_to_phase(unitary(f"{head}{first}{call}"), Operator(expected).data), (head[:40], call)


class Modified:
    """Random calls under modifiers with their matrices; qubit 0 of a matrix is the first operand, as in Qiskit."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._defined: dict[str, Matrix] = {}
        self.text = ""

    def program(self) -> tuple[str, Matrix]:
        """The text behind the header, on three qubits, and its matrix up to a phase."""
        for number in range(self._random.randint(1, 3)):
            self._define(f"g{number}")
        matrix = np.eye(8, dtype=complex)
        self.text += "qubit[3] q;\n"
        for _ in range(self._random.randint(2, 4)):
            line, factor = self._call(3, [f"q[{place}]" for place in range(3)])
            self.text += line
            matrix = factor @ matrix
        return self.text, matrix

    def _define(self, name: str) -> None:
        width = self._random.randint(1, 2)
        names = ["a", "b"][:width]
        matrix = np.eye(1 << width, dtype=complex)
        self.text += f"gate {name} {', '.join(names)} {{ "
        for _ in range(self._random.randint(1, 3)):
            if self._random.random() < 0.3:
                angle = self._angle()
                self.text += f"gphase({angle}); "
                matrix = cmath.exp(1j * angle) * matrix
                continue
            line, factor = self._call(width, names)
            self.text += line
            matrix = factor @ matrix
        self.text += "}\n"
        self._defined[name] = matrix

    def _angle(self) -> float:
        return self._random.choice([math.pi, -math.pi / 2, 3 * math.pi / 2, round(self._random.uniform(-7, 7), 3)])

    def _call(self, width: int, names: Sequence[str]) -> tuple[str, Matrix]:
        word, matrix = self._gate(width)
        controls: list[str] = []
        while self._random.random() < 0.6:
            modifier = self._random.choice(["inv", "pow", "ctrl", "negctrl"])
            if modifier == "inv":
                matrix, word = matrix.conj().T, f"inv @ {word}"
            elif modifier == "pow":
                exponent = self._random.randint(-2, 3)
                matrix, word = np.linalg.matrix_power(matrix, exponent), f"pow({exponent}) @ {word}"
            elif len(matrix) < 1 << width:
                controls.append(modifier)
                matrix, word = _controlled(matrix, modifier == "ctrl"), f"{modifier} @ {word}"
        places = self._random.sample(range(width), len(matrix).bit_length() - 1)
        operands = ", ".join(names[place] for place in places)
        return f"{word} {operands};\n", _embedded(matrix, places, width)

    def _gate(self, width: int) -> tuple[str, Matrix]:
        one, other, third = self._angle(), self._angle(), self._angle()
        su2 = cmath.exp(-0.5j * (other + third))
        choices: Mapping[str, tuple[str, Matrix]] = {
            "U": (f"U({one}, {other}, {third})", u(one, other, third)),
            "u3": (f"u3({one}, {other}, {third})", su2 * qiskit_u(one, other, third)),
            "u2": (f"u2({other}, {third})", su2 * qiskit_u(math.pi / 2, other, third)),
            "h": ("h", qiskit_u(math.pi / 2, 0, math.pi)),
            "rz": (f"rz({one})", np.diag([cmath.exp(-0.5j * one), cmath.exp(0.5j * one)])),
        }
        fitting = {name: (name, matrix) for name, matrix in self._defined.items() if len(matrix) <= 1 << width}
        return self._random.choice([*choices.values(), choices["U"], *fitting.values(), *fitting.values()])


def _controlled(matrix: Matrix, one: bool) -> Matrix:
    """The control is the first operand, so the lowest bit of an index."""
    size = len(matrix)
    result = np.eye(2 * size, dtype=complex)
    chosen = [2 * index + one for index in range(size)]
    result[np.ix_(chosen, chosen)] = matrix
    return result


def _embedded(matrix: Matrix, places: Sequence[int], width: int) -> Matrix:
    size = 1 << width
    result = np.zeros((size, size), dtype=complex)
    for column in range(size):
        inner = sum((column >> place & 1) << k for k, place in enumerate(places))
        rest = reduce(lambda index, place: index & ~(1 << place), places, column)
        for row in range(len(matrix)):
            outer = rest | sum((row >> k & 1) << place for k, place in enumerate(places))
            result[outer, column] += matrix[row, inner]
    return result


@TIERS
@pytest.mark.parametrize("seed", long_after(8, range(20)))
def test_random_modifiers_are_those_of_numpy(first: str, seed: int) -> None:
    text, matrix = Modified(seed).program()
    assert equal_up_to_phase(unitary(f"{INCLUDE}{first}{text}"), matrix), text


@pytest.mark.parametrize("seed", range(10))
def test_controls_powers_and_definitions_keep_their_meaning_as_text_and_qpy(seed: int) -> None:
    """More of them by `python -m tests.difference --kind controlled_u`."""
    assert_means_the_same(make_controlled_u(random.Random(seed)))


@pytest.mark.parametrize("seed", range(15))
def test_exports_of_qiskit_keep_their_meaning(seed: int) -> None:
    """Qiskit writes `U` without modifiers, also inside of definitions: there its phase is global."""
    choices = random.Random(seed)
    circuit = random_circuit(3, 3, max_operands=3, seed=seed)
    makers: Sequence[Callable[[], Any]] = (
        lambda: UGate(*(choices.uniform(-4, 4) for _ in range(3))),
        lambda: U3Gate(*(choices.uniform(-4, 4) for _ in range(3))),
        lambda: U2Gate(*(choices.uniform(-4, 4) for _ in range(2))),
    )
    for _ in range(3):
        gate = choices.choice(makers)()
        controls = choices.randrange(3)
        state = choices.randrange(1 << controls)
        gate = gate.control(controls, ctrl_state=state, annotated=False) if controls else gate
        circuit.append(gate, choices.sample(range(3), gate.num_qubits))
    text = qasm3.dumps(circuit)
    assert "@" not in text
    assert equal_up_to_phase(unitary(text), Operator(circuit).data)


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ("U(1, 2, 3) q[0];", []),
        ("inv @ U(1, 2, 3) q[0];", []),
        ("ctrl @ U(0, 0, 3) q[0], q[1];", []),
        ("ctrl @ x q[0], q[1]; ctrl @ u(1, 2, 3) q[0], q[1];", []),
        ("gate CX a, b { ctrl @ U(π, 0, π) a, b; } CX q[0], q[1]; ctrl @ CX q[0], q[1], q[2];", []),
        ("ctrl @ U(1, 2, 3) q[0], q[1];", [(3, 1)]),
        ("if (true) {\n pow(2) @ u3(1, 2, 3) q[0]; }", [(4, 2)]),
        ("gate a p { U(1, 2, 3) p; } gate b p { a p; }\n negctrl @ b q[0], q[1];", [(4, 2)]),
        ("gate a p, r {\n ctrl @ U(1, 2, 3) p, r; } a q[0], q[1];", [(4, 2)]),
        ("gate u3(a, b, c) p { x p; } ctrl @ u3(1, 2, 3) q[0], q[1];", []),
    ],
)
def test_a_warning_says_where_the_readings_differ(body: str, places: list[tuple[int, int]]) -> None:
    header = "OPENQASM 3.0;" if body.startswith(("gate CX", "gate u3")) else INCLUDE.strip()
    definitions = "gate x a { U(0, 0, 0) a; }" if body.startswith("gate u3") else ""
    text = f"{header}{definitions}\nqubit[3] q; bit c;\n{body} c = measure q[0];"
    warnings = load_program(text, LIMITS).warnings
    assert [(one.line, one.column) for one in warnings] == places
    assert all(one.code is WarningCode.GATE_PHASE for one in warnings)


def test_pasting_the_specification_makes_controlled_nots() -> None:
    text = (
        f"OPENQASM 3.0;\n{OFFICIAL}qubit[2] q; bit c; h q[0]; cx q[0], q[1]; cx q[0], q[1]; h q[0]; c = measure q[0];"
    )
    assert Simulator(LIMITS).run(load_program(text, LIMITS), 50).counts == {"0": 50}


@pytest.mark.parametrize("call", ["U q[0];", "ctrl @ U q[0], q[1];", "gate g a { U a; } g q[0];"])
def test_call_without_its_angles_is_a_mistake_like_any_other(call: str) -> None:
    with pytest.raises(ProgramInvalid, match="'U' takes 3"):
        load_program(f"int n = 1; qubit[2] q; bit c; {call} c = measure q[0];", ExecutionLimits())

"""OpenQASM 2: read as that version means it, with the program's own gates, and without any file."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import qasm2
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Operator, Statevector

from ketline.domain.circuits.program_format import ProgramFormat, Target
from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Drawing
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.simulators.aer import Simulator
from tests.corpus.openqasm2 import openqasm2_programs, outcomes_of

LIMITS = ExecutionLimits()
PROGRAMS = openqasm2_programs()
START = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg c[3];\n'
X = np.array([[0, 1], [1, 0]])


def counts(simulator: Simulator, text: str, shots: int = 50) -> Mapping[str, int]:
    return simulator.run(load_program(text, LIMITS), shots, RunOptions(seed=1)).counts


def angles(text: str) -> list[float]:
    circuit = read_program(text, LIMITS).circuit
    return [float(value) for instruction in circuit.data for value in instruction.params]


def rejection(text: str, limits: ExecutionLimits = LIMITS) -> ExecutionFailed:
    with pytest.raises(ExecutionFailed) as caught:
        load_program(text, limits, form=ProgramFormat.OPENQASM2)
    return caught.value


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_of_the_corpus_has_its_outcomes(simulator: Simulator, name: str) -> None:
    assert set(counts(simulator, PROGRAMS[name], 200)) == outcomes_of(PROGRAMS[name])


def test_tier_and_registers_are_known() -> None:
    program = load_program("OPENQASM 2.0; qreg q[2]; creg a[1]; creg b[2]; x q[0]; measure q -> b;", LIMITS)
    assert (program.front_end, program.groups, program.names) == ("openqasm2", (1, 2), ("a", "b"))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1/2", 0.5),
        ("2^3", 8.0),
        ("-2^2", -4.0),
        ("2^3^2", 512.0),
        ("7/2*2", 7.0),
        ("1-2-3", -4.0),
        ("sin(pi/2)", 1.0),
        ("ln(exp(2))", 2.0),
        ("sqrt(2)^2", 2.0),
        ("acos(-1)", math.pi),
        ("1e-3", 0.001),
        (".5+5.", 5.5),
    ],
)
def test_arithmetic_is_that_of_version_2(written: str, value: float) -> None:
    assert angles(f"OPENQASM 2.0; qreg q[1]; rx({written}) q[0];") == pytest.approx([value])


def test_division_is_real_inside_of_definitions(simulator: Simulator) -> None:
    text = START + "gate g(t) a { rx(t*(1/2)) a; } g(2*pi) q[0]; measure q -> c;"
    assert counts(simulator, text) == {"001": 50}


OWN = {
    "x": "gate x a { U(0.3, 0.2, 0.1) a; }",
    "h": "gate h a { ry(0.7) a; }",
    "sdg": "gate sdg a { U(0.1, 0.2, 0.3) a; U(0.4, 0.5, 0.6) a; }",
    "id": "gate id a { U(pi, 0, pi) a; }",
    "u0": "gate u0 a { U(1.5, 0.1, 0.2) a; }",
    "if_else": "gate if_else a { U(0.3, 0.1, 0.2) a; }",
    "store": "gate store a { U(0.3, 0.1, 0.2) a; }",
    "unitary": "gate unitary a { U(0.3, 0.1, 0.2) a; }",
    "box": "gate box a { U(0.3, 0.1, 0.2) a; }",
    "pauli_product_rotation": "gate pauli_product_rotation a { U(0.3, 0.1, 0.2) a; }",
    "global_phase": "gate global_phase a { U(0.3, 0.1, 0.2) a; }",
    "r": "gate r a { U(0.3, 0.1, 0.2) a; }",
}
ROTATION = {"x": (0.3, 0.2, 0.1), "u0": (1.5, 0.1, 0.2), "id": (math.pi, 0, math.pi), "h": (0.7, 0, 0)}


def u(theta: float, phi: float, lam: float) -> Any:
    """The matrix of `U` up to a phase. Source: arXiv:1707.03429, equation 2."""
    half, sine = math.cos(theta / 2), math.sin(theta / 2)
    return np.array([[half, -np.exp(1j * lam) * sine], [np.exp(1j * phi) * sine, np.exp(1j * (phi + lam)) * half]])


def lowered_unitary(text: str) -> Any:
    return Operator(load_program(text, LIMITS).lowered.circuit.remove_final_measurements(inplace=False)).data


def assert_equal_up_to_phase(one: Any, other: Any) -> None:
    assert abs(np.trace(one.conj().T @ other)) == pytest.approx(len(one))


@pytest.mark.parametrize("name", OWN)
def test_own_definition_wins_over_the_name(name: str) -> None:
    expected = u(*ROTATION.get(name, (0.3, 0.1, 0.2)))
    if name == "sdg":
        expected = u(0.4, 0.5, 0.6) @ u(0.1, 0.2, 0.3)
    text = f'OPENQASM 2.0; include "qelib1.inc"; {OWN[name]} qreg q[1]; creg c[1]; {name} q[0]; measure q -> c;'
    assert_equal_up_to_phase(lowered_unitary(text), expected)


def test_own_definition_with_other_operands_wins() -> None:
    text = "OPENQASM 2.0; gate rzz(a,b) p { U(a,b,0.5) p; } gate cx p { rzz(0.1,0.2) p; } qreg q[1]; creg c[1]; cx q; "
    assert_equal_up_to_phase(lowered_unitary(text + "measure q -> c;"), u(0.1, 0.2, 0.5))


def test_own_definition_is_that_of_later_definitions() -> None:
    text = "OPENQASM 2.0; gate y a { U(0.4,0,0) a; } gate g a { y a; y a; } qreg q[1]; creg c[1]; g q; measure q -> c;"
    assert_equal_up_to_phase(lowered_unitary(text), u(0.8, 0, 0))


def test_own_definition_wins_in_a_branch(simulator: Simulator) -> None:
    text = START + "gate z a { U(pi,0,pi) a; } if (c == 0) z q[1]; measure q -> c;"
    assert counts(simulator, text) == {"010": 50}


def test_gate_may_have_the_name_of_a_branch(simulator: Simulator) -> None:
    text = START + "gate if_else a { x a; } if_else q[0]; if (c == 0) if_else q[1]; if (c == 9) x q[2]; measure q -> c;"
    assert counts(simulator, text) == {"011": 50}


def test_registers_may_have_names_of_gates(simulator: Simulator) -> None:
    text = "OPENQASM 2.0; qreg x[1]; qreg h[2]; creg u[1]; creg p[2]; cx x[0],h[1]; measure h -> p; measure x -> u;"
    assert counts(simulator, text.replace("cx", "U(pi,0,pi) x[0]; CX")) == {"10 1": 50}


def test_gates_keep_their_meaning_behind_a_declared_delay() -> None:
    text = 'OPENQASM 2.0; include "qelib1.inc"; opaque delay(param0) q0; gate g(p) a { rx(p) a; } qreg q[1]; creg c[1];'
    operations = load_program(f"{text} delay(1.5) q[0]; g(0.5) q[0]; measure q -> c;", LIMITS).lowered.circuit.data
    assert [(one.operation.name, one.operation.params) for one in operations] == [("rx", [0.5]), ("measure", [])]


@pytest.mark.parametrize("waiting", ["delay(-1)", "delay(1.5)", "delay(1e300)", "u0(-1)", "u0(0.5)", "u0(1e300)"])
def test_waiting_has_no_effect_whatever_its_length(simulator: Simulator, waiting: str) -> None:
    text = START + f"x q[0]; {waiting} q[0]; measure q -> c;"
    assert counts(simulator, text) == {"001": 50}


def test_condition_is_compared_once_for_a_whole_register(simulator: Simulator) -> None:
    text = START + "x q; if (c == 0) measure q -> c;"
    assert counts(simulator, text) == {"111": 50}
    bit_by_bit = START + "x q; if (c == 0) measure q[0] -> c[0]; if (c == 0) measure q[1] -> c[1];"
    assert counts(simulator, bit_by_bit) == {"001": 50}


@pytest.mark.parametrize("number", ["8", "9" * 50])
def test_number_that_a_register_cannot_hold_is_never_its_value(simulator: Simulator, number: str) -> None:
    assert counts(simulator, START + f"x q[1]; if (c == {number}) x q[0]; measure q -> c;") == {"010": 50}


def test_whole_register_is_reset_and_called_under_a_condition(simulator: Simulator) -> None:
    text = START + "x q; measure q[0] -> c[0]; if (c == 1) reset q; if (c == 1) x q[2]; measure q -> c;"
    assert counts(simulator, text) == {"100": 50}


def test_without_header_the_format_decides(simulator: Simulator) -> None:
    program = load_program(
        "qreg q[1]; creg c[1]; rx(2*pi/2) q[0]; measure q -> c;", LIMITS, form=ProgramFormat.OPENQASM2
    )
    assert (program.front_end, simulator.run(program, 5)[0]) == ("openqasm2", {"1": 5})


@pytest.mark.parametrize("start", ["", "\ufeff", "// OPENQASM 3.0;\n\n", "/* a */ ", "  \r\n"])
def test_header_decides_without_a_format(start: str) -> None:
    text = f"{start}OPENQASM 2.0; qreg q[1]; creg c[1]; measure q -> c;"
    if "/*" in start:
        assert isinstance(rejection(text), ProgramInvalid)
    else:
        assert load_program(text, LIMITS).front_end == "openqasm2"


FILES = ["/etc/passwd", "../qelib1.inc", "qelib1.inc.bak", "own.inc", "", "stdgates.inc", "/proc/self/environ", "a;b"]


@pytest.mark.parametrize("path", FILES)
def test_no_file_is_read(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.inc").write_text("secret tokens;", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    error = rejection(f'OPENQASM 2.0;\ninclude "{path}";\nqreg q[1];')
    assert isinstance(error, ProgramUnsupported)
    assert (error.line, error.column) == (2, 1)
    expected = {"stdgates.inc": 'stdgates.inc belongs to OpenQASM 3; include "qelib1.inc" instead'}.get(
        path, 'only "qelib1.inc" can be included: write definitions of other files into the program'
    )
    assert error.message == expected


def test_qelib1_of_the_working_directory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "qelib1.inc").write_text("secret tokens;", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    load_program(START + "h q; measure q -> c;", LIMITS)


TOO_LARGE = {
    "qubits": "qreg q[41];",
    "qubits in several registers": "qreg q[20]; qreg r[21];",
    "bits": "creg c[41];",
    "a number of a thousand digits": f"qreg q[{'9' * 1000}];",
    "broadcasts": "qreg q[40]; " + "h q; " * 60,
    "doubling definitions": "gate g0 a { h a; h a; } "
    + " ".join(f"gate g{n} a {{ g{n - 1} a; g{n - 1} a; }}" for n in range(1, 40))
    + " qreg q[1]; g39 q[0];",
    "doubling definitions of nothing": "gate g0 a { } "
    + " ".join(f"gate g{n} a {{ g{n - 1} a; g{n - 1} a; }}" for n in range(1, 40))
    + " qreg q[1]; g39 q[0];",
    "registers of nothing": " ".join(f"qreg q{n}[0];" for n in range(50)),
    "barriers of everything": "qreg q[40]; " + "barrier q;" * 500,
    "an operand named again and again": "qreg q[40]; barrier " + "q," * 500 + "q;",
    "conditions": "qreg q[1]; creg c[1]; " + "if (c == 1) x q[0];" * 300,
    "conditions on a wide register": "qreg q[1]; creg c[40]; " + "if (c == 1) x q[0];" * 75,
    "conditions of a wide register": "qreg q[40]; creg c[1]; " + "if (c == 1) x q;" * 8,
    "very many definitions": " ".join(f"gate g{n} a {{ }}" for n in range(5000)),
}


@pytest.mark.parametrize("body", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_program_is_held_to_the_limits(body: str) -> None:
    small = ExecutionLimits(max_qubits=40, max_bits=40, max_operations=2000)
    error = rejection(f"OPENQASM 2.0;\n{body}", small)
    assert isinstance(error, ProgramTooLarge)
    assert error.line == 2


def test_barriers_and_indexed_calls_count_no_register() -> None:
    limits = ExecutionLimits(max_operations=500)
    text = "OPENQASM 2.0; qreg q[40]; creg c[1]; " + "barrier q; x q[0]; " * 50 + "measure q[0] -> c[0];"
    load_program(text, limits)
    assert isinstance(rejection(text.replace("x q[0]", "x q"), limits), ProgramTooLarge)


def chain(length: int) -> str:
    gates = " ".join(f"gate g{n} a {{ g{n - 1} a; }}" for n in range(1, length))
    return f"OPENQASM 2.0; gate g0 a {{ x a; }} {gates} qreg q[1]; creg c[1]; g{length - 1} q[0]; measure q -> c;"


def test_definitions_nest_to_a_limit(simulator: Simulator) -> None:
    assert counts(simulator, chain(240)) == {"1": 50}
    assert isinstance(rejection(chain(260)), ProgramUnsupported)


@pytest.mark.parametrize(
    "angle", ["(" * 70 + "1" + ")" * 70, "sin(" * 70 + "1" + ")" * 70], ids=["parentheses", "functions"]
)
def test_brackets_nest_to_a_limit(angle: str) -> None:
    assert isinstance(rejection(f"OPENQASM 2.0; qreg q[1]; U({angle},0,0) q[0];"), ProgramUnsupported)


DEEP = {"signs": "-" * 5000 + "t", "powers": "t^" * 5000 + "t", "sums": "+".join(["t"] * 5000)}


@pytest.mark.parametrize("angle", DEEP.values(), ids=DEEP.keys())
def test_expressions_of_definitions_are_no_deep_trees(angle: str) -> None:
    """Qiskit's reader overflows the stack where it frees them."""
    error = rejection(
        f"OPENQASM 2.0; gate g(t) a {{ rx({angle}) a; }} qreg q[1]; creg c[1]; g(1) q[0]; measure q -> c;"
    )
    assert isinstance(error, ProgramUnsupported)


@pytest.mark.parametrize("body", ["opaque g a; ", "opaque h a; ", "opaque g a; gate k a { g a; } gate g2 a { k a; } "])
def test_opaque_gate_cannot_be_called(body: str) -> None:
    called = {"opaque h a; ": "h"}.get(body, "g2" if "g2" in body else "g")
    error = rejection(f"OPENQASM 2.0;\n{body}qreg q[1];\n  {called} q[0];")
    assert isinstance(error, ProgramUnsupported)
    assert (error.line, error.column) == (3, 3)
    assert f"gate '{called}'" in error.message


def test_program_that_measures_nothing_is_told_how() -> None:
    error = rejection(START + "h q;")
    assert isinstance(error, ProgramUnsupported)
    assert "'creg c[2]; measure q -> c;'" in error.message


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def spec(text: str, inputs: Inputs | None = None, **options: Any) -> TaskSpec:
    form = ProgramFormat.OPENQASM2
    return TaskSpec(circuit=text, shots=20, inputs=inputs or {}, options=RunOptions(seed=3, format=form, **options))


@pytest.mark.parametrize("inputs", [{"theta": 0.5}, {"theta": [0.1, 0.2]}], ids=["a value", "a sweep"])
@pytest.mark.parametrize("observables", [(), ({"Z": 1.0},)], ids=["counts", "observables"])
@pytest.mark.parametrize("command", list(Command))
def test_version_2_has_no_inputs(executor: Executor, inputs: Inputs, observables: Any, command: Command) -> None:
    task = replace(spec(START + "h q; measure q -> c;", inputs, observables=observables), target=Target.OPENQASM3)
    response = executor.respond(Request(task, command=command))
    assert isinstance(response.outcome, ProgramInvalid)
    assert "an OpenQASM 2 program has no inputs" in response.outcome.message


def test_same_seed_gives_the_same_counts(executor: Executor) -> None:
    text = START + "h q; measure q -> c;"
    first, second = (executor.run(Request(spec(text))) for _ in range(2))
    assert first.counts == second.counts
    assert sum(first.counts.values()) == 20


def test_observables_have_values(executor: Executor) -> None:
    result = executor.run(Request(spec("OPENQASM 2.0; qreg q[2]; h q[0]; cx q[0],q[1];", observables=({"ZZ": 1.0},))))
    assert result.expectation_values == pytest.approx([1.0])


def test_inspection_knows_the_circuit(executor: Executor) -> None:
    inspection = executor.inspect(Request(spec(START + "h q[0]; cx q[0],q[1]; measure q[1] -> c[1];")))
    assert (inspection.tier, inspection.qubits, inspection.unused_qubits) == ("openqasm2", 2, 1)


@pytest.mark.parametrize("drawing", list(Drawing))
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_drawn(executor: Executor, name: str, drawing: Drawing) -> None:
    drawn = executor.draw(Request(spec(PROGRAMS[name]), command=Command.DRAW, drawing=drawing))
    assert drawn
    if drawing is Drawing.FLAT:
        assert drawn.startswith("OPENQASM 3.0;")


@pytest.mark.parametrize("name", PROGRAMS)
def test_flat_program_has_the_same_outcomes(executor: Executor, simulator: Simulator, name: str) -> None:
    flat = executor.draw(Request(spec(PROGRAMS[name]), command=Command.DRAW, drawing=Drawing.FLAT))
    assert set(counts(simulator, flat, 200)) == outcomes_of(PROGRAMS[name])


def test_library_gate_means_what_qiskit_reads() -> None:
    body = "qreg q[5]; " + " ".join(
        f"{one.name}({','.join(['0.3', '0.5', '0.7', '1.1'][: one.num_params])}) "
        f"{','.join(f'q[{n}]' for n in range(one.num_qubits))};".replace("()", "")
        for one in qasm2.LEGACY_CUSTOM_INSTRUCTIONS
        if one.name not in ("delay", "u0")
    )
    text = f'OPENQASM 2.0; include "qelib1.inc"; {body}'
    theirs = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    prepared = QuantumCircuit(5)
    prepared.h(range(5))
    ours = read_program(text, LIMITS).circuit
    both = [Statevector(prepared.compose(circuit)) for circuit in (ours, theirs)]
    assert abs(both[0].inner(both[1])) == pytest.approx(1)

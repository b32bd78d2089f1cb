"""Drawings say what the program does, and are rejected where they would not be legible."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.tasks.inspection import Drawing
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.drawing import draw
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.corpus import FAULTY, has_meaning, specification_examples

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.qasm"))
SPECIFIED = specification_examples()
RUNNING = [name for name, text in SPECIFIED.items() if has_meaning(text) and name not in FAULTY]
LIMITS = ExecutionLimits()
HEADER = 'include "stdgates.inc";\n'
SVG = "{http://www.w3.org/2000/svg}"

PROGRAMS: Mapping[str, str] = {
    "a second name of qubits": "qubit[3] q; bit[3] c; let a = q[0:1]; h a; c = measure q;",
    "a branch on a register": "qubit[2] q; bit[2] c; h q; c = measure q; if (c == 2) { x q[0]; } c[0] = measure q[0];",
    "a loop": "qubit q; bit c; h q; c = measure q; while (c == false) { h q; c = measure q; }",
    "a loop that is left": "qubit q; bit c; for int i in [0:3] { h q; c = measure q; if (c) break; }",
    "a subroutine": (
        "def f(qubit a, angle t) { rx(t) a; } qubit[2] q; bit[2] c; for int i in [0:1] { f(q[i], 0.3*i); } "
        "c = measure q;"
    ),
    "physical qubits": "bit[2] c; h $0; cx $0, $3; c[0] = measure $0; c[1] = measure $3;",
    "modifiers": (
        "qubit[5] q; bit[5] c; h q; ctrl(3) @ x q[0],q[1],q[2],q[3]; negctrl @ rz(0.2) q[0], q[1]; "
        "ctrl(4) @ p(0.3) q[0],q[1],q[2],q[3],q[4]; inv @ U(1,2,3) q[0]; pow(0.5) @ x q[1]; h q; c = measure q;"
    ),
    "gates of Qiskit": (
        "qubit[2] q; bit[2] c; h q; iswap q[0], q[1]; rzz(0.3) q[0], q[1]; ecr q[0], q[1]; c = measure q;"
    ),
    "single bits between registers": (
        "bit a; bit[2] c; bit b; qubit[4] q; h q; a = measure q[0]; c = measure q[1:2]; b = measure q[3];"
    ),
    "names of gates for bits": "qubit[2] gate1; bit[2] h1; qubit c; bit q; h gate1; h1 = measure gate1; q = measure c;",
}


def drawn(body: str, drawing: Drawing, limits: ExecutionLimits = LIMITS) -> str:
    return draw(read_program(HEADER + body, limits), drawing, limits)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in fromstring(svg).iter(f"{SVG}text")]


def assert_same_counts(simulator: Simulator, text: str) -> None:
    flat = draw(read_program(text, LIMITS), Drawing.FLAT, LIMITS)
    options = RunOptions(seed=7)
    submitted = simulator.run(load_program(text, LIMITS), 200, options)
    flattened = simulator.run(load_program(flat, LIMITS), 200, options)
    assert flattened == submitted


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_flat_example_gives_the_same_counts(simulator: Simulator, path: Path) -> None:
    assert_same_counts(simulator, path.read_text())


@pytest.mark.parametrize("body", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_flat_program_gives_the_same_counts(simulator: Simulator, body: str) -> None:
    assert_same_counts(simulator, HEADER + body)


@pytest.mark.parametrize("name", RUNNING)
def test_example_of_the_specification_is_shown_in_every_form_that_holds_it(simulator: Simulator, name: str) -> None:
    reading = read_program(SPECIFIED[name], LIMITS)
    for drawing in (Drawing.TEXT, Drawing.SVG):
        with suppress(ProgramTooLarge):
            assert draw(reading, drawing, LIMITS)
    if reading.outcome is None:
        assert_same_counts(simulator, SPECIFIED[name])


@pytest.mark.parametrize("drawing", Drawing)
@pytest.mark.parametrize("body", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_every_form_shows_it_and_always_the_same(body: str, drawing: Drawing) -> None:
    assert drawn(body, drawing)
    assert drawn(body, drawing) == drawn(body, drawing)


def test_flat_program_has_no_loops_and_no_gates_of_its_own() -> None:
    flat = drawn(
        "gate mine(t) a, b { rx(t) a; cx a, b; } qubit[3] q; bit[3] c; for int i in [0:1] { mine(0.5) q[i], q[i+1]; } "
        "c = measure q;",
        Drawing.FLAT,
    )
    assert flat.splitlines() == [
        "OPENQASM 3.0;",
        'include "stdgates.inc";',
        "bit[3] c;",
        "qubit[3] q;",
        "rx(0.5) q[0];",
        "cx q[0], q[1];",
        "rx(0.5) q[1];",
        "cx q[1], q[2];",
        *(f"c[{bit}] = measure q[{bit}];" for bit in range(3)),
    ]


def test_flat_program_keeps_qubits_that_nothing_depends_on() -> None:
    assert "h q[1];" in drawn("qubit[2] q; bit c; h q; c = measure q[0];", Drawing.FLAT)


def test_flat_program_says_that_bits_were_computed_from_measurements() -> None:
    body = "qubit[2] q; bit[2] c; bit d; h q; c = measure q; d = c[0] ^ c[1];"
    assert "// The counts of this program show each measurement" in drawn(body, Drawing.FLAT)


def test_condition_on_a_second_name_is_rejected_flat_and_drawn_otherwise() -> None:
    body = "qubit[3] q; bit[3] c; let a = c[0:1]; c = measure q; if (a == 3) { x q[2]; } c[2] = measure q[2];"
    with pytest.raises(ProgramUnsupported, match="second name"):
        drawn(body, Drawing.FLAT)
    assert drawn(body, Drawing.SVG)


def test_text_shows_wires_and_gates() -> None:
    lines = drawn("qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;", Drawing.TEXT).splitlines()
    assert lines[1].startswith("q_0: ┤ H ├──■──┤M├")
    assert lines[5].startswith("c: 2/")


def test_svg_names_wires_gates_angles_and_bits() -> None:
    said = texts(drawn("qubit[2] q; bit[2] c; rx(pi/2) q[0]; sdg q[1]; c[1] = measure q[0];", Drawing.SVG))
    assert {"q[0]", "q[1]", "c / 2", "RX", "π/2", "S†", "c[1]"} <= set(said)


def test_svg_frames_branches_with_their_conditions() -> None:
    body = (
        "qubit[2] q; bit[2] c; bit d; h q; c = measure q; d = measure q[0]; if (c == 2) { x q[0]; } else "
        "{ if (d) { z q[1]; } } while (d == true) { d = measure q[0]; }"
    )
    assert {"if c == 2", "else", "if c1 == 1", "while c1 == 1"} <= set(texts(drawn(body, Drawing.SVG)))


def test_svg_shows_conditions_that_are_computed() -> None:
    body = "qubit[2] q; bit[2] c; h q; c = measure q; if (c[0] != c[1]) { x q[0]; } c[0] = measure q[0];"
    assert any(
        text.startswith("if (") and "c[0]" in text and "c[1]" in text for text in texts(drawn(body, Drawing.SVG))
    )


def test_svg_is_as_large_as_what_is_in_it() -> None:
    document = fromstring(drawn("qubit[3] q; bit[3] c; h q; cx q[0], q[2]; c = measure q;", Drawing.SVG))
    width, height = float(document.attrib["width"]), float(document.attrib["height"])
    for element in document.iter():
        if "x" in element.attrib:
            assert 0 <= float(element.attrib["x"]) <= width
            assert 0 <= float(element.attrib["y"]) <= height


def test_svg_writes_operations_that_share_no_wire_below_each_other() -> None:
    svg = drawn("qubit[3] q; bit c; h q; cx q[0], q[1]; x q[2]; c = measure q[0];", Drawing.SVG)
    columns = re.findall(r'<text x="([\d.]+)" y="[\d.]+">[HX]</text>', svg)
    assert len(columns) == 4
    assert len(set(columns)) == 2


@pytest.mark.parametrize(
    ("drawing", "body", "message"),
    [
        (Drawing.SVG, "qubit[33] q; bit[33] c; c = measure q;", r"32 qubits and 500 .* has 33 and 33: format=text and"),
        (Drawing.SVG, "qubit q; bit c; for int i in [1:500] { x q; } c = measure q;", "has 1 and 501: format=text"),
        (Drawing.TEXT, "qubit[65] q; bit[65] c; c = measure q;", "64 qubits and 1000 .*: format=flat holds more"),
        (Drawing.TEXT, f"qubit[1] {'q' * 101}; bit c; c = measure {'q' * 101}[0];", "names of up to 100 characters"),
    ],
)
def test_drawing_that_would_be_too_large_is_rejected_with_advice(drawing: Drawing, body: str, message: str) -> None:
    with pytest.raises(ProgramTooLarge, match=message):
        drawn(body, drawing)
    assert drawn(body, Drawing.FLAT)


def test_flat_program_is_bounded_as_a_result_is() -> None:
    body = "qubit q; bit c; for int i in [1:1000] { x q; } c = measure q;"
    with pytest.raises(ProgramTooLarge, match="MiB of text"):
        drawn(body, Drawing.FLAT, ExecutionLimits(max_result_bytes=2000))


def test_drawing_keeps_the_names_of_registers_whichever_front_end_reads_the_program() -> None:
    text = "int n = 1; qubit[2] alice; qubit[2] bob; bit[2] c; U(1, 1, 1) alice[n]; c = measure bob;"
    drawn = draw(read_program(text, ExecutionLimits(), {}), Drawing.TEXT, ExecutionLimits())
    assert all(name in drawn for name in ("alice_0", "alice_1", "bob_0", "bob_1"))

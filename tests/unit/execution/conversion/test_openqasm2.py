"""Programs as OpenQASM 2: what is written, what is rejected and where, and that it means the same."""

import pytest
from qiskit import qasm2

from ketline.domain.circuits.program_format import Target
from ketline.domain.errors import ProgramUnsupported
from ketline.execution.simulators.aer import Simulator
from tests.conversions import conversion, counts_of, written
from tests.corpus.openqasm2 import openqasm2_programs
from tests.reference import assert_samples_agree

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
PROGRAMS = openqasm2_programs()


def test_conditions_on_registers_stay() -> None:
    body = "qubit[2] q; bit[2] c; bit f;\nc = measure q; if (c == 2) { x q[0]; f = measure q[0]; } swap q[0], q[1];"
    assert written(HEAD + body, Target.OPENQASM2).splitlines() == [
        "OPENQASM 2.0;",
        'include "qelib1.inc";',
        "qreg q[2];",
        "creg c[2];",
        "creg f[1];",
        "measure q[0] -> c[0];",
        "measure q[1] -> c[1];",
        "if(c==2) x q[0];",
        "if(c==2) measure q[0] -> f[0];",
        "cx q[0],q[1];",
        "cx q[1],q[0];",
        "cx q[0],q[1];",
    ]


def test_else_of_one_bit_is_a_condition_of_its_own() -> None:
    text = written(f"{HEAD}qubit q; bit[1] c; c[0] = measure q; if (c[0]) x q; else z q;", Target.OPENQASM2)
    assert text.splitlines()[-2:] == ["if(c==1) x q[0];", "if(c==0) z q[0];"]


def test_measurement_of_a_register_has_one_condition() -> None:
    head = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n'
    assert written(f"{head}x q;\nif (c==0) measure q -> c;", Target.OPENQASM2).splitlines()[4:] == [
        "x q[0];",
        "x q[1];",
        "if(c==0) measure q -> c;",
    ]


def test_bit_that_is_overwritten_needs_no_register_of_its_own() -> None:
    text = written(
        f"{HEAD}input float a; qubit[2] q; bit[1] c; c[0] = measure q[0]; rx(a) q[1]; c[0] = measure q[1];",
        Target.OPENQASM2,
        {"a": 1e-7},
    )
    assert text.splitlines()[2:] == [
        "qreg q[2];", "creg c[1];", "measure q[0] -> c[0];", "rx(1.0e-07) q[1];", "measure q[1] -> c[0];",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "reason", "place"),
    [
        ("bit[2] c; c = measure q; \nif (c[0]) x q[0];", "only conditions on whole registers", (4, 1)),
        ("bit[2] c; c = measure q;\nif (c == 1) x q[0]; else z q[0];", "no 'else'", (4, 1)),
        ("bit c; c = measure q[0];\nwhile (c) { c = measure q[1]; }", "no loops", (4, 1)),
        (
            "bit[1] c; bit[1] d; c[0] = measure q[0];\nif (c[0]) { if (d[0]) x q[0]; }",
            "no branches within branches",
            (4, 1),
        ),
        ("bit c; bit d; c = measure q[0]; d = c;", "no assignments", None),
        ("bit[2] c; bit d; c = measure q;\nd = measure q[0]; d = c[0] ^ d;", "no variables", (4, 1)),
        ("bit c; c = measure q[0];\nif (c) { c = measure q[0]; x q[0]; }", "and goes on", (4, 1)),
    ],
)
def test_what_the_version_lacks_is_rejected_with_its_place(
    body: str, reason: str, place: tuple[int, int] | None
) -> None:
    with pytest.raises(ProgramUnsupported, match=reason) as rejected:
        written(f"{HEAD}qubit[2] q; {body}", Target.OPENQASM2)
    assert (rejected.value.line, rejected.value.column) == (place or (None, None))


def test_name_that_the_version_does_not_allow_is_changed_with_a_warning() -> None:
    output = conversion(f"{HEAD}qubit[1] q; bit[1] Result; Result = measure q;", Target.OPENQASM2)
    assert isinstance(output.content, str)
    assert output.content.splitlines()[3] == "creg c_Result[1];"
    assert [one.message for one in output.warnings] == ["the register 'Result' is named 'c_Result' in the output"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_means_the_same_and_is_read_strictly(simulator: Simulator, name: str) -> None:
    text = written(PROGRAMS[name], Target.OPENQASM2)
    qasm2.loads(text, strict=True)
    assert_samples_agree(counts_of(simulator, PROGRAMS[name], 300), counts_of(simulator, text, 301))

"""Programs as flat OpenQASM 3: what is written, and that it means the same."""

import pytest
from qiskit import qasm3
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister

from ketline.domain.circuits.program_format import ProgramFormat, Target
from ketline.domain.results.result import WarningCode
from ketline.execution.simulators.aer import Simulator
from tests.circuits import as_qpy
from tests.conversions import conversion, counts_of, written
from tests.reference import EXAMPLES


def flat(text: str) -> str:
    return written(text, Target.OPENQASM3)


def test_loops_gates_and_constants_are_gone() -> None:
    text = (
        "OPENQASM 3.0; include 'stdgates.inc'; gate two a, b { h a; cx a, b; } qubit[3] q; bit[3] c;\n"
        "for int i in [0:1] { two q[i], q[i + 1]; } rx(pi / 2) q[0]; c = measure q;"
    ).replace("'", '"')
    assert flat(text).splitlines() == [
        "OPENQASM 3.0;",
        'include "stdgates.inc";',
        "qubit[3] q;",
        "bit[3] c;",
        "h q[0];",
        "cx q[0], q[1];",
        "h q[1];",
        "cx q[1], q[2];",
        "rx(1.5707963267948966) q[0];",
        "c[0] = measure q[0];",
        "c[1] = measure q[1];",
        "c[2] = measure q[2];",
    ]


@pytest.mark.parametrize("body", ["", "input float unused;", "int number = 1;"])
def test_declarations_have_their_names_and_order(body: str) -> None:
    text = 'OPENQASM 3.0; include "stdgates.inc"; qubit Q; qubit[2] Pair; qubit r; bit a; bit B; bit[2] C; bit d;'
    statements = "d = measure Q; C = measure Pair; B = measure r; a = measure Q;"
    inputs = {"unused": 0.5} if "input" in body else {}
    content = written(f"{text} {body} {statements}", Target.OPENQASM3, inputs)
    assert content.splitlines()[2:] == [
        "qubit Q;", "qubit[2] Pair;", "qubit r;", "bit a;", "bit B;", "bit[2] C;", "bit d;",
        "d = measure Q;", "C[0] = measure Pair[0];", "C[1] = measure Pair[1];", "B = measure r;", "a = measure Q;",
    ]  # fmt: skip


def test_name_of_a_gate_is_changed_with_a_warning() -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "x"), ClassicalRegister(1, "no name"))
    circuit.measure(0, 0)
    output = conversion(as_qpy(circuit), Target.OPENQASM3, form=ProgramFormat.QPY)
    assert isinstance(output.content, str)
    assert output.content.splitlines()[2:] == ["qubit[1] q_x;", "bit[1] c_no_name;", "c_no_name[0] = measure q_x[0];"]
    assert {warning.code for warning in output.warnings} == {WarningCode.CONVERSION_DIFFERS}


def test_warnings_are_bounded() -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "q"), *(ClassicalRegister(1, f"no {number}") for number in range(200)))
    circuit.measure(0, 0)
    assert len(conversion(as_qpy(circuit), Target.OPENQASM3, form=ProgramFormat.QPY).warnings) == 20


def test_bits_that_others_are_computed_from_are_not_counted(simulator: Simulator) -> None:
    text = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[1] parity; bit[2] b; h q; parity[0] = false; '
    text += "b = measure q; parity[0] = b[0] ^ b[1]; b[0] = measure q[1];"
    written_ = written(text, Target.OPENQASM3)
    assert written_.splitlines()[3:] == [
        "output bit[1] parity;", "output bit[2] b;", "bit[1] measured;", "h q[0];", "h q[1];",
        "measured[0] = measure q[0];", "b[1] = measure q[1];", "b[0] = measure q[1];",
        "parity[0] = b[1] ^ measured[0];",
    ]  # fmt: skip
    assert set(counts_of(simulator, written_, 200)) == set(counts_of(simulator, text, 200))


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.qasm")))
def test_example_gives_the_same_counts(simulator: Simulator, name: str) -> None:
    text = (EXAMPLES / name).read_text()
    assert counts_of(simulator, flat(text), 500) == counts_of(simulator, text, 500)
    assert qasm3.loads(flat(text)).cregs

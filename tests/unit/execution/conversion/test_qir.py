"""QIR modules: their structure by the specification, what each profile rejects, and their distributions in qirrunner.

Counts are compared with a false-alarm rate of at most 1e-9 per comparison, see `tests/reference.py`.
"""

import pyqir
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.classical import expr

from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.circuits import as_qpy
from tests.conversions import conversion, counts_of, qir_counts, qir_text
from tests.corpus import specification_examples
from tests.reference import EXAMPLES, EXPECTED, assert_counts_match, assert_samples_agree

BASE, ADAPTIVE = QirProfile.BASE, QirProfile.ADAPTIVE
HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
SHOTS = 400
BELL = f"{HEAD}qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"


def test_bell_in_the_base_profile() -> None:
    assert qir_text(BELL, BASE).splitlines() == [
        "; ModuleID = 'program'",
        'source_filename = "program"',
        "",
        '@0 = internal constant [2 x i8] c"c\\00"',
        '@1 = internal constant [5 x i8] c"c[0]\\00"',
        '@2 = internal constant [5 x i8] c"c[1]\\00"',
        "",
        "declare void @__quantum__rt__initialize(ptr)",
        "",
        "declare void @__quantum__qis__mz__body(ptr, ptr writeonly) #0",
        "",
        "declare void @__quantum__rt__array_record_output(i64, ptr)",
        "",
        "declare void @__quantum__rt__result_record_output(ptr, ptr)",
        "",
        "define i64 @main() #1 {",
        "entry:",
        "  call void @__quantum__rt__initialize(ptr null)",
        "  br label %body",
        "",
        "body:                                             ; preds = %entry",
        "  call void @__quantum__qis__h__body(ptr null)",
        "  call void @__quantum__qis__cx__body(ptr null, ptr inttoptr (i64 1 to ptr))",
        "  br label %measurements",
        "",
        "measurements:                                     ; preds = %body",
        "  call void @__quantum__qis__mz__body(ptr null, ptr null)",
        "  call void @__quantum__qis__mz__body(ptr inttoptr (i64 1 to ptr), ptr inttoptr (i64 1 to ptr))",
        "  br label %output",
        "",
        "output:                                           ; preds = %measurements",
        "  call void @__quantum__rt__array_record_output(i64 2, ptr @0)",
        "  call void @__quantum__rt__result_record_output(ptr null, ptr @1)",
        "  call void @__quantum__rt__result_record_output(ptr inttoptr (i64 1 to ptr), ptr @2)",
        "  ret i64 0",
        "}",
        "",
        "declare void @__quantum__qis__h__body(ptr)",
        "",
        "declare void @__quantum__qis__cx__body(ptr, ptr)",
        "",
        'attributes #0 = { "irreversible" }',
        'attributes #1 = { "entry_point" "output_labeling_schema"="register[bit]" "qir_profiles"="base_profile" '
        '"required_num_qubits"="2" "required_num_results"="2" }',
        "",
        "!llvm.module.flags = !{!0, !1, !2, !3}",
        "",
        '!0 = !{i32 1, !"qir_major_version", i32 2}',
        '!1 = !{i32 7, !"qir_minor_version", i32 0}',
        '!2 = !{i32 1, !"dynamic_qubit_management", i1 false}',
        '!3 = !{i32 1, !"dynamic_result_management", i1 false}',
    ]


def test_bitcode_is_the_same_module() -> None:
    output = conversion(BELL, Target.QIR, bitcode=True)
    assert isinstance(output.content, bytes)
    module = pyqir.Module.from_bitcode(pyqir.Context(), output.content, "program")
    assert str(module) == qir_text(BELL, BASE)
    assert set(qir_counts(output.content, 50)) == {"00", "11"}


def test_adaptive_module_declares_the_loops_that_it_has() -> None:
    looping = f"{HEAD}qubit q; bit c; h q; c = measure q; while (c) {{ h q; c = measure q; }}"
    for text, flag in ((BELL, "i2 0"), (looping, "i2 -2")):
        assert f'!"backwards_branching", {flag}}}' in qir_text(text, ADAPTIVE)
    assert '"qir_profiles"="adaptive_profile"' in qir_text(looping, ADAPTIVE)


def test_qubits_that_nothing_uses_are_not_numbered() -> None:
    text = qir_text(f"{HEAD}qubit[9] q; bit c; x q[7]; c = measure q[7];", BASE)
    assert '"required_num_qubits"="1"' in text


PROGRAMS = {
    "ghz": "qubit[5] q; bit[5] c; h q[0]; for int i in [0:3] { cx q[i], q[i + 1]; } c = measure q;",
    "gates": (
        "qubit[3] q; bit[3] c; h q; u3(0.3, 0.2, 0.1) q[0]; U(1, 2, 3) q[1]; sx q[2]; sdg q[0]; t q[1]; tdg q[2];"
        "ccx q[0], q[1], q[2]; cswap q[2], q[0], q[1]; cp(0.7) q[0], q[2]; crx(1.1) q[1], q[0]; ch q[2], q[1]; "
        "rzz(0.4) q[0], q[1]; rxx(1.4) q[1], q[2]; ryy(0.8) q[0], q[2]; ctrl @ pow(0.5) @ y q[0], q[1]; h q; "
        "c = measure q;"
    ),
    "bits of both registers are swapped": (
        "qubit[2] q; bit[2] c; bit[2] d; bit[2] e; h q[0]; x q[1]; c = measure q; e = c; d[0] = c[1]; d[1] = c[0]; "
        "c = d;"
    ),
    "constants": "qubit q; bit[3] c; bit d = 1; h q; c[1] = measure q;",
    "bit measured twice": "qubit[2] q; bit[1] c; h q[0]; c[0] = measure q[0]; ry(0.9) q[1]; c[0] = measure q[1];",
}
ADAPTIVE_PROGRAMS = {
    "feedback": "qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0]; if (c[0]) x q[1]; c[1] = measure q[1];",
    "else": "qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0]; if (c[0]) h q[1]; else x q[1]; c[1] = measure q[1];",
    "register": "qubit[3] q; bit[2] c; bit d; h q[0]; h q[1]; c[0] = measure q[0]; c[1] = measure q[1];"
    "if (c == 2) x q[2]; d = measure q[2];",
    "reset": "qubit q; bit[2] c; h q; c[0] = measure q; reset q; ry(1) q; c[1] = measure q;",
    "measured in one branch": "qubit[2] q; bit[3] c; h q[0]; x q[1]; c[0] = measure q[0]; "
    "if (c[0]) { c[1] = measure q[1]; } c[2] = c[1];",
    "until success": "qubit[2] q; bit f; bit[2] n; h q[1]; f = true; while (f) { h q[0]; f = measure q[0]; "
    "if (f) { n[0] = !n[0]; if (!n[0]) { n[1] = !n[1]; } } }",
    "count": "qubit q; bit[2] c; uint[2] n; while (n < 3) { h q; c[0] = measure q; if (c[0]) break; n += 1; } "
    "c[1] = n[0];",
    "continue": "qubit q; bit[1] c; bit[3] w; for int i in [0:2] { h q; c[0] = measure q; if (c[0]) continue; "
    "w[i] = true; }",
    "value of an earlier measurement": "qubit q; bit[2] c; h q; c[0] = measure q; c[1] = c[0]; h q; c[0] = measure q;",
    "computed": "qubit[3] q; bit[3] c; bit[2] w; h q; c = measure q; w[0] = c[0] ^ c[1] ^ c[2]; "
    "w[1] = (c[0] & c[1]) | (c[2] & (c[0] ^ c[1]));",
    "nested": "qubit[2] q; bit[2] c; bit d; h q; c = measure q; if (c[0]) { if (c[1]) { x q[0]; } else { h q[0]; } "
    "d = measure q[0]; } else { while (!d) { h q[1]; d = measure q[1]; } }",
    "end": "qubit q; bit[2] c; h q; c[0] = measure q; if (c[0]) end; x q; c[1] = measure q;",
}  # fmt: skip


@pytest.mark.parametrize("profile", [BASE, ADAPTIVE])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_has_the_same_distribution_in_both_profiles(
    simulator: Simulator, name: str, profile: QirProfile
) -> None:
    text = HEAD + PROGRAMS[name]
    assert_samples_agree(counts_of(simulator, text, SHOTS), qir_counts(qir_text(text, profile), SHOTS))


@pytest.mark.parametrize("name", ADAPTIVE_PROGRAMS)
def test_program_that_adapts_has_the_same_distribution(simulator: Simulator, name: str) -> None:
    text = HEAD + ADAPTIVE_PROGRAMS[name]
    assert_samples_agree(counts_of(simulator, text, SHOTS), qir_counts(qir_text(text, ADAPTIVE), SHOTS))


@pytest.mark.parametrize("name", EXPECTED)
def test_example_has_the_distribution_of_theory(name: str) -> None:
    module = qir_text((EXAMPLES / name).read_text(), ADAPTIVE)
    assert_counts_match(qir_counts(module, SHOTS), EXPECTED[name], SHOTS)


@pytest.mark.parametrize("name", ["adder.qasm", "inverseqft2.qasm", "qec.qasm", "qpt.qasm", "rb.qasm", "rus.qasm"])
def test_example_of_the_specification_has_the_same_distribution(simulator: Simulator, name: str) -> None:
    text = specification_examples()[name]
    assert_samples_agree(counts_of(simulator, text, SHOTS), qir_counts(qir_text(text, ADAPTIVE), SHOTS))


@pytest.mark.parametrize(
    ("body", "reason", "place"),
    [
        ("h q[0]; c[0] = measure q[0];\n  x q[0];", "acts on a qubit that was measured", (4, 3)),
        ("c[0] = measure q[0];\nc[1] = measure q[0];", "measured twice", (4, 1)),
        ("h q[0];\nreset q[0];", "reset after it was used", (4, 1)),
        ("c[0] = measure q[0];\nif (c[0]) x q[1];", "a branch or a loop", (4, 1)),
        (
            "gate g a { x a; } c[0] = measure q[0];\nfor int i in [0:1] {\n  g q[i]; }",
            "a qubit that was measured",
            (5, 3),
        ),
        ("c = measure q; c[0] = c[0] ^ c[1];", "final value of a bit is computed", (None, None)),
    ],
)
def test_what_the_base_profile_lacks_is_rejected_with_its_place(
    body: str, reason: str, place: tuple[int | None, int | None]
) -> None:
    with pytest.raises(ProgramUnsupported, match=f"base profile .*{reason}.*use the profile 'adaptive'") as rejected:
        qir_text(f"{HEAD}qubit[2] q; bit[2] c; {body}", BASE)
    assert (rejected.value.line, rejected.value.column) == place


def test_place_in_openqasm2_is_that_of_the_statement() -> None:
    head = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n'
    text = f"{head}h q;\nmeasure q -> c;\n// then\n  if (c==1) x q[0];"
    with pytest.raises(ProgramUnsupported, match="a branch or a loop") as rejected:
        qir_text(text, BASE)
    assert (rejected.value.line, rejected.value.column) == (8, 3)


def test_loop_that_never_ends_is_rejected() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    with circuit.while_loop(expr.bit_not(circuit.clbits[0])):
        circuit.x(0)
    circuit.measure(0, 0)
    with pytest.raises(ProgramUnsupported, match="never ends"):
        qir_text(as_qpy(circuit), ADAPTIVE, form=ProgramFormat.QPY)


def test_module_is_bounded_as_a_result_is() -> None:
    limits = ExecutionLimits(max_result_bytes=1024)
    for bitcode in (False, True):
        with pytest.raises(ProgramTooLarge, match=r"takes more than 0\.000976562 MiB"):
            conversion(BELL, Target.QIR, bitcode=bitcode, limits=limits)

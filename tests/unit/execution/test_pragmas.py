"""Pragmas, annotations and byte order marks: left aside with a warning, unless results depend on them."""

from collections.abc import Mapping

import pytest

from ketline.domain.errors import ProgramUnsupported
from ketline.domain.results.result import ProgramWarning, RunResult, WarningCode
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.program import load_program, program_reader
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request

LIMITS = ExecutionLimits()
HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BODY = "qubit[2] q; bit[2] c;\nx q[1];\nc = measure q;"


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def ran(executor: Executor, text: str, inputs: Mapping[str, float] | None = None) -> RunResult:
    outcome = executor.respond(Request(TaskSpec(circuit=text, shots=10, inputs=dict(inputs or {})))).outcome
    assert isinstance(outcome, RunResult), outcome
    return outcome


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            f"{HEADER}#pragma my_tool layout [0, 1]\n{BODY}",
            ProgramWarning(
                code=WarningCode.PRAGMA_IGNORED,
                message="the pragma 'pragma my_tool layout [0, 1]' is ignored",
                line=3,
                column=1,
            ),
        ),
        (
            f"{HEADER}pragma braket result probability\n{BODY}",
            ProgramWarning(
                code=WarningCode.PRAGMA_IGNORED,
                message="the pragma 'pragma braket result probability' is ignored",
                line=3,
                column=1,
            ),
        ),
        (
            f"{HEADER}qubit[2] q; bit[2] c;\nif (true) {{ @my.tool keep it\n x q[1]; }}\nc = measure q;",
            ProgramWarning(
                code=WarningCode.ANNOTATION_IGNORED,
                message="the annotation '@my.tool keep it' is ignored",
                line=4,
                column=13,
            ),
        ),
        (
            f"{HEADER}@hold\ngate g a {{ x a; }}\nqubit[2] q; bit[2] c; g q[1]; c = measure q;",
            ProgramWarning(
                code=WarningCode.ANNOTATION_IGNORED, message="the annotation '@hold' is ignored", line=3, column=1
            ),
        ),
        (
            f"{HEADER}int n = 1;\n@reversible\nbox {{ }}\n{BODY}",
            ProgramWarning(
                code=WarningCode.ANNOTATION_IGNORED, message="the annotation '@reversible' is ignored", line=4, column=1
            ),
        ),
    ],
)
def test_pragma_or_annotation_is_left_aside_with_a_warning(
    executor: Executor, text: str, warning: ProgramWarning
) -> None:
    result = ran(executor, text)
    assert result.counts == {"10": 10}
    assert list(result.profile.warnings) == [warning]
    inspection = executor.respond(Request(TaskSpec(circuit=text, shots=10), command=Command.INSPECT)).outcome
    assert isinstance(inspection, Inspection)
    assert list(inspection.warnings) == [warning]


def test_warnings_come_in_the_order_of_the_text_and_not_without_end(executor: Executor) -> None:
    first = "@one\nqubit[2] q;\n@two\nbit[2] c;\n#pragma three\n@four\nx q[1]; c = measure q;\n"
    codes = [warning.line for warning in ran(executor, HEADER + first).profile.warnings]
    assert codes == [3, 5, 7, 8]
    many = HEADER + BODY + "".join(f"\n@note {i}\nbarrier q;" for i in range(50))
    assert len(ran(executor, many).profile.warnings) == 20


def test_program_without_any_has_no_warning(executor: Executor) -> None:
    assert ran(executor, HEADER + BODY).profile.warnings == ()


def test_sweep_has_the_warnings_of_its_program(executor: Executor) -> None:
    text = f"{HEADER}pragma my_tool\ninput float theta; qubit q; bit c; rx(theta) q; c = measure q;"
    result = executor.respond(Request(TaskSpec(circuit=text, shots=10, inputs={"theta": [0.0, 1.0]}))).outcome
    assert isinstance(result, RunResult)
    assert [warning.code for warning in result.profile.warnings] == [WarningCode.PRAGMA_IGNORED]
    assert program_reader(text, LIMITS)({"theta": 0.5}).warnings[0].line == 3


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("#pragma braket noise depolarizing(0.1) q[0]", "'pragma braket noise depolarizing(0.1) q[0]' asks for noise"),
        ('pragma qiskit.simulator noise model "qpu1.noise"', "asks for noise ('noise')"),
        ("#pragma simulator noise_model=qpu", "asks for noise ('noise_model')"),
        ("@amplitude_damping(0.2)", "asks for noise ('damping')"),
        ("#pragma braket result state_vector", "asks for the state"),
    ],
)
def test_what_changes_results_is_rejected_by_name(directive: str, words: str) -> None:
    with pytest.raises(ProgramUnsupported) as caught:
        load_program(f"{HEADER}qubit[2] q; bit[2] c;\n {directive}\nx q[1]; c = measure q;", LIMITS)
    assert words in caught.value.message
    assert (caught.value.line, caught.value.column) == (4, 2)


def test_words_that_only_contain_noise_are_no_noise(executor: Executor) -> None:
    assert ran(executor, f"{HEADER}@noiseless\n{BODY}").counts == {"10": 10}


@pytest.mark.parametrize("body", [BODY, f"int n = 1;\n{BODY}", f"if (true) {{ }}\n{BODY}"])
def test_byte_order_mark_is_no_part_of_the_program(executor: Executor, body: str) -> None:
    assert ran(executor, "\ufeff" + HEADER + body).counts == {"10": 10}


def test_byte_order_mark_moves_no_column() -> None:
    with pytest.raises(Exception, match="gate 'foo' is not defined") as caught:
        load_program("\ufeffqubit q; foo q;", LIMITS)
    assert (caught.value.line, caught.value.column) == (1, 10)  # type: ignore[attr-defined]


def test_byte_order_mark_of_a_sweep_is_skipped(executor: Executor) -> None:
    text = f"\ufeff{HEADER}input float theta; qubit q; bit c; rx(theta) q; c = measure q;"
    result = executor.respond(Request(TaskSpec(circuit=text, shots=10, inputs={"theta": [0.0]}))).outcome
    assert isinstance(result, RunResult)
    assert result.points is not None
    assert result.points[0].counts == {"0": 10}

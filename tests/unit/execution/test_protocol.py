"""Messages survive the trip, and what a child may not say is not believed."""

import json
from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.inspection import Drawing, Inspection
from ketline.domain.spec import Method, RunOptions, TaskSpec
from ketline.domain.task import Profile, ProgramWarning, RunResult, WarningCode
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol import (
    Answer,
    Order,
    Purpose,
    decode_answer,
    decode_limits,
    decode_order,
    encode_answer,
    encode_limits,
    encode_order,
)

PROFILE = Profile(
    method="stabilizer", qubits=2, depth=3, operations={"h": 1}, parsing_seconds=0.1, simulating_seconds=0.2
)
WARNING = ProgramWarning(code=WarningCode.PRAGMA_IGNORED, message="the pragma 'pragma a' is ignored", line=3, column=1)
ORDER = Order(TaskSpec(circuit="qubit q;", shots=10), "token")
RESULT = RunResult(counts={"00": 4, "11": 6}, shots=10, profile=PROFILE)
INSPECTING = Order(TaskSpec(circuit="qubit q;", shots=10), "token", purpose=Purpose.INSPECT)
INSPECTION = Inspection(
    tier="scanner",
    qubits=2,
    unused_qubits=1,
    depth=3,
    operations={"h": 1},
    method=Method.STIM,
    method_reason="as requested",
    memory_bytes=64,
    estimated_seconds=0.5,
)
DRAWING = Order(TaskSpec(circuit="qubit q;", shots=1), "token", purpose=Purpose.DRAW, drawing=Drawing.SVG)


def test_limits_survive() -> None:
    limits = ExecutionLimits(soft_time_limit=timedelta(seconds=1.5), memory_bytes=1 << 40)
    assert decode_limits(encode_limits(limits)) == limits


def test_orders_survive_with_any_text() -> None:
    order = Order(TaskSpec(circuit="qubit é; // \ud800 \x00", shots=5))
    assert decode_order(encode_order(order)) == order


def test_orders_survive_whatever_they_ask_for() -> None:
    options = RunOptions(seed=3, method=Method.STIM, memory=True)
    for order in (
        INSPECTING,
        DRAWING,
        Order(
            TaskSpec(circuit="x", shots=1, time_limit_seconds=2.5, options=options, inputs={"n": 1, "b": "01"}),
            "t",
            purpose=Purpose.DRAW,
            drawing=Drawing.FLAT,
        ),
    ):
        assert decode_order(encode_order(order)) == order


@pytest.mark.parametrize(
    "inspection",
    [
        INSPECTION,
        Inspection(
            tier="importer",
            qubits=40,
            unused_qubits=0,
            depth=9,
            operations={},
            refusal=ProgramTooLarge("no room", line=1).failure,
        ),
        replace(INSPECTION, warnings=(WARNING, replace(WARNING, line=None, column=None))),
    ],
)
def test_inspections_survive(inspection: Inspection) -> None:
    assert decode_answer(encode_answer(Answer(inspection), INSPECTING), INSPECTING).outcome == inspection


def test_drawings_survive() -> None:
    assert decode_answer(encode_answer(Answer("<svg>┤ é"), DRAWING), DRAWING).outcome == "<svg>┤ é"


def test_results_survive() -> None:
    assert decode_answer(encode_answer(Answer(RESULT), ORDER), ORDER) == Answer(RESULT)


def test_warnings_survive() -> None:
    result = replace(RESULT, profile=replace(PROFILE, warnings=(WARNING,)))
    assert decode_answer(encode_answer(Answer(result), ORDER), ORDER).outcome == result


@pytest.mark.parametrize(
    "warnings",
    [
        [{"code": "no_code", "message": "", "line": 1, "column": 1}],
        [{"code": "pragma_ignored", "message": "", "line": "one", "column": 1}],
        [{"code": "pragma_ignored", "message": "", "line": 1}],
        [asdict(WARNING)] * 101,
        None,
    ],
)
def test_what_are_no_warnings_is_refused(warnings: object) -> None:
    said = json.loads(encode_answer(Answer(RESULT), ORDER))
    said["result"]["profile"]["warnings"] = warnings
    with pytest.raises(ValueError):
        decode_answer(json.dumps(said).encode(), ORDER)


def test_failures_survive() -> None:
    answer = decode_answer(encode_answer(Answer(ProgramInvalid("no", line=2, column=3), retiring=True), ORDER), ORDER)
    assert answer.retiring
    assert isinstance(answer.outcome, ProgramInvalid)
    assert answer.outcome.failure == ProgramInvalid("no", line=2, column=3).failure


def _tampered(**changes: object) -> bytes:
    said = json.loads(encode_answer(Answer(RESULT), ORDER))
    said["result"] |= changes
    return json.dumps(said).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b"{}",
        b'{"failure": {"code": "unheard_of"}, "retiring": false, "token": "token"}',
        b"[" * 100_000,
        _tampered(counts={"00": 11}),
        _tampered(counts={"00": 20, "11": -10}),
        _tampered(counts=[1, 2]),
        _tampered(counts={"<script>": 10}),
        _tampered(profile={}),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_answer(data, ORDER)


@pytest.mark.parametrize(
    ("order", "outcome"),
    [(ORDER, INSPECTION), (ORDER, "<svg>"), (INSPECTING, RESULT), (INSPECTING, "<svg>"), (DRAWING, RESULT)],
)
def test_answer_to_what_was_not_asked_is_refused(order: Order, outcome: RunResult | Inspection | str) -> None:
    with pytest.raises(ValueError, match="not an answer"):
        decode_answer(encode_answer(Answer(outcome), order), order)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "magic"},
        {"method": None},
        {"qubits": "many"},
        {"operations": [1]},
        {"memory_bytes": {}},
        {"estimated_seconds": "soon"},
        {"invented": 1},
        {"refusal": {"code": "unheard_of", "message": "", "line": None, "column": None}},
    ],
)
def test_what_is_no_inspection_is_refused(changes: dict[str, object]) -> None:
    said = json.loads(encode_answer(Answer(INSPECTION), INSPECTING))
    said["inspection"] |= changes
    with pytest.raises(ValueError):
        decode_answer(json.dumps(said).encode(), INSPECTING)


@pytest.mark.parametrize("drawing", [None, 1, ["<svg>"], "\ud800"])
def test_what_is_no_drawing_is_refused(drawing: object) -> None:
    said = json.dumps({"drawing": drawing, "retiring": False, "token": "token"}).encode()
    with pytest.raises(ValueError):
        decode_answer(said, DRAWING)


def test_messages_are_short_and_printable() -> None:
    said = decode_answer(encode_answer(Answer(ProgramInvalid("a\x00b\n\ud800" + "x" * 10_000)), ORDER), ORDER)
    assert isinstance(said.outcome, ExecutionFailed)
    assert said.outcome.message.startswith("a?b??xxx")
    assert len(said.outcome.message) == 500


def test_answer_to_another_order_is_refused() -> None:
    other = Order(TaskSpec(circuit=ORDER.spec.circuit, shots=ORDER.spec.shots), "another token")
    with pytest.raises(ValueError, match="another order"):
        decode_answer(encode_answer(Answer(RESULT), other), ORDER)


def test_every_failure_code_a_child_may_give_is_known() -> None:
    kinds = list(ExecutionFailed.__subclasses__())
    assert kinds
    for kind in kinds:
        answer = decode_answer(encode_answer(Answer(kind("message")), ORDER), ORDER)
        assert type(answer.outcome) is kind


def test_all_mistakes_of_an_inspected_program_survive() -> None:
    error, other = ProgramInvalid("one", line=1, column=2), ProgramUnsupported("another", line=3)
    error.others = (other,)
    outcome = decode_answer(encode_answer(Answer(error), INSPECTING), INSPECTING).outcome
    assert isinstance(outcome, ProgramInvalid)
    assert [one.failure for one in (outcome, *outcome.others)] == [error.failure, other.failure]


def test_task_that_was_run_fails_with_its_first_mistake_only() -> None:
    error = ProgramInvalid("one", line=1, column=2)
    error.others = (ProgramInvalid("another", line=3),)
    assert b"another" not in encode_answer(Answer(error), ORDER)


def test_more_mistakes_than_there_may_be_are_not_believed() -> None:
    error = ProgramInvalid("one")
    error.others = (ProgramInvalid("another"),) * 20
    with pytest.raises(ValueError, match="20 more mistakes"):
        decode_answer(encode_answer(Answer(error), INSPECTING), INSPECTING)

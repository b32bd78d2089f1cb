"""Messages survive the trip, and what a child may not say is not believed."""

import json
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from ketline.domain.access.principals import ProjectName
from ketline.domain.circuits.method import Method
from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.counts import EncodedCounts
from ketline.domain.results.result import Profile, ProgramWarning, RunResult, WarningCode
from ketline.domain.tasks.inspection import Drawing, Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request, decode_request, encode_request
from ketline.execution.protocol.responses import Response, decode_response, encode_response
from ketline.execution.protocol.start import decode_limits, encode_limits

PROFILE = Profile(
    method="stabilizer", qubits=2, depth=3, operations={"h": 1}, parsing_seconds=0.1, simulating_seconds=0.2
)
WARNING = ProgramWarning(code=WarningCode.PRAGMA_IGNORED, message="the pragma 'pragma a' is ignored", line=3, column=1)
REQUEST = Request(TaskSpec(circuit="qubit q;", shots=10), "token")
RESULT = RunResult(counts={"00": 4, "11": 6}, shots=10, profile=PROFILE)
INSPECTING = Request(TaskSpec(circuit="qubit q;", shots=10), "token", command=Command.INSPECT)
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
DRAWING = Request(TaskSpec(circuit="qubit q;", shots=1), "token", command=Command.DRAW, drawing=Drawing.SVG)


def test_limits_survive() -> None:
    limits = ExecutionLimits(soft_time_limit=timedelta(seconds=1.5), memory_bytes=1 << 40)
    assert decode_limits(encode_limits(limits)) == limits


def test_orders_survive_with_any_text() -> None:
    request = Request(TaskSpec(circuit="qubit é; // \ud800 \x00", shots=5))
    assert decode_request(encode_request(request)) == request


def test_orders_survive_whatever_they_ask_for() -> None:
    options = RunOptions(seed=3, method=Method.STIM, memory=True)
    for request in (
        INSPECTING,
        DRAWING,
        Request(
            TaskSpec(circuit="x", shots=1, time_limit_seconds=2.5, options=options, inputs={"n": 1, "b": "01"}),
            "t",
            command=Command.DRAW,
            drawing=Drawing.FLAT,
            project=ProjectName("optics"),
        ),
    ):
        assert decode_request(encode_request(request)) == request


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
            failure=ProgramTooLarge("no room", line=1).failure,
        ),
        replace(INSPECTION, warnings=(WARNING, replace(WARNING, line=None, column=None))),
    ],
)
def test_inspections_survive(inspection: Inspection) -> None:
    assert decode_response(encode_response(Response(inspection), INSPECTING), INSPECTING).outcome == inspection


def test_drawings_survive() -> None:
    assert decode_response(encode_response(Response("<svg>┤ é"), DRAWING), DRAWING).outcome == "<svg>┤ é"


def test_results_survive() -> None:
    assert decode_response(encode_response(Response(RESULT), REQUEST), REQUEST) == Response(RESULT)


def test_warnings_survive() -> None:
    result = replace(RESULT, profile=replace(PROFILE, warnings=(WARNING,)))
    assert decode_response(encode_response(Response(result), REQUEST), REQUEST).outcome == result


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
def test_what_are_no_warnings_is_rejected(warnings: object) -> None:
    with pytest.raises(ValueError):
        decode_response(_tampered(profile=_profile() | {"warnings": warnings}), REQUEST)


def test_failures_survive() -> None:
    response = decode_response(
        encode_response(Response(ProgramInvalid("no", line=2, column=3), retiring=True), REQUEST), REQUEST
    )
    assert response.retiring
    assert isinstance(response.outcome, ProgramInvalid)
    assert response.outcome.failure == ProgramInvalid("no", line=2, column=3).failure


def _tampered(**changes: object) -> bytes:
    """A response with other counts, or with another field of the result."""
    said = json.loads(encode_response(Response(RESULT), REQUEST))
    said["counts"] = changes.pop("counts", said["counts"])
    said["result"] |= changes
    return json.dumps(said, separators=(",", ":")).encode()


def _with_counts(text: bytes) -> bytes:
    """A response with this text instead of the counts."""
    return encode_response(Response(RESULT), REQUEST).replace(b'{"00":4,"11":6}', text)


def _profile() -> dict[str, Any]:
    said = json.loads(encode_response(Response(RESULT), REQUEST))
    profile: dict[str, Any] = said["result"]["profile"]
    return profile


def test_tampered_response_without_a_change_is_the_response() -> None:
    for data in (_tampered(), _tampered(profile=_profile()), _with_counts(b'{"00":4,"11":6}')):
        assert decode_response(data, REQUEST) == Response(RESULT)


def test_counts_stay_as_the_simulator_wrote_them() -> None:
    outcome = decode_response(encode_response(Response(RESULT), REQUEST), REQUEST).outcome
    assert isinstance(outcome, RunResult)
    assert isinstance(outcome.counts, EncodedCounts)
    assert outcome.counts.text == '{"00":4,"11":6}'
    assert dict(outcome.counts) == {"00": 4, "11": 6}


@pytest.mark.parametrize(
    "text",
    [
        b'{"00":4,"00":6}',
        b'{"11":3,"00":4,"11":3}',
        b'{"00":04,"11":6}',
        b'{"00":4,"11":6,}',
        b'{,"00":4,"11":6}',
        b'{"00":4"11":6}',
        b'{"00":4;"11":6}',
        b'{"00": 4,"11":6}',
        b'{"00":4.0,"11":6}',
        b'{"00":4e0,"11":6}',
        b'{"00":"4","11":6}',
        b'{"00":-4,"11":14}',
        b'{"00":4,"":6}',
        b'{"00":4," 1":6}',
        b'{"00":4,"1  1":6}',
        b'{"00":4,"1\\u0031":6}',
        b'{"00":4,"1\x00":6}',
        b'{"00":' + b"0" * 100_000 + b'4,"11":6}',
        b'{"00":' + b"9" * 100_000 + b"}",
        b"{" * 100_000,
        b'{"0' + b" 0" * 100_000 + b"}",
        b"{}",
        b"null",
        b"",
    ],
)
def test_text_that_is_no_object_of_counts_is_rejected(text: bytes) -> None:
    with pytest.raises(ValueError):
        decode_response(_with_counts(text), REQUEST)


@pytest.mark.parametrize(
    "request_of_others",
    [
        INSPECTING,
        DRAWING,
        Request(replace(REQUEST.spec, options=RunOptions(memory=True)), "token"),
        Request(replace(REQUEST.spec, options=RunOptions(observables=({"Z": 1.0},))), "token"),
        Request(replace(REQUEST.spec, inputs={"a": [1, 2]}), "token"),
        replace(REQUEST, command=Command.CONVERT),
    ],
)
def test_counts_in_place_of_another_result_are_rejected(request_of_others: Request) -> None:
    with pytest.raises(ValueError, match="not a response"):
        decode_response(encode_response(Response(RESULT), REQUEST), request_of_others)


def test_counts_with_shots_are_checked_like_others() -> None:
    sent = Request(replace(REQUEST.spec, options=RunOptions(memory=True)), "token")
    result = replace(RESULT, memory=["00"] * 4 + ["11"] * 6)
    said = json.loads(encode_response(Response(result), sent))
    assert decode_response(json.dumps(said).encode(), sent).outcome == result
    for counts in ({"00": 10}, {"00": 5, "11": 6}, {"00": 3, "11": 7}, {"<script>": 10}):
        said["result"]["counts"] = counts
        with pytest.raises(ValueError):
            decode_response(json.dumps(said).encode(), sent)


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
        _tampered(counts={"00": True, "11": 9}),
        _tampered(counts={"": 10}),
        _tampered(counts={"00,11": 10}),
        _tampered(counts={"00": 4, "11,": 6}),
        _tampered(counts={"00": 4, "11\n": 6}),
        _tampered(counts={"0  0": 10}),
        _tampered(counts={"00 ": 10}),
        _tampered(counts={"00": "10"}),
        _tampered(counts={"00": 10.0}),
        _tampered(counts=[["00", 10]]),
        _tampered(profile={}),
        _tampered(profile=asdict(PROFILE) | {"simulating_seconds": "1"}),
        _tampered(profile=asdict(PROFILE) | {"parsing_seconds": -1.0}),
        _tampered(profile=asdict(PROFILE) | {"processor_seconds": 1e300}),
        _tampered(profile=asdict(PROFILE) | {"processor_seconds": float("nan")}),
        _tampered(profile=asdict(PROFILE) | {"memory_bytes": True}),
    ],
)
def test_what_is_no_answer_is_rejected(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_response(data, REQUEST)


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [(REQUEST, INSPECTION), (REQUEST, "<svg>"), (INSPECTING, RESULT), (INSPECTING, "<svg>"), (DRAWING, RESULT)],
)
def test_answer_to_what_was_not_asked_is_rejected(sent: Request, outcome: RunResult | Inspection | str) -> None:
    with pytest.raises(ValueError, match="not a response"):
        decode_response(encode_response(Response(outcome), sent), sent)


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
        {"rejection": {"code": "unheard_of", "message": "", "line": None, "column": None}},
    ],
)
def test_what_is_no_inspection_is_rejected(changes: dict[str, object]) -> None:
    said = json.loads(encode_response(Response(INSPECTION), INSPECTING))
    said["inspection"] |= changes
    with pytest.raises(ValueError):
        decode_response(json.dumps(said).encode(), INSPECTING)


@pytest.mark.parametrize("drawing", [None, 1, ["<svg>"], "\ud800"])
def test_what_is_no_drawing_is_rejected(drawing: object) -> None:
    said = json.dumps({"drawing": drawing, "retiring": False, "token": "token"}).encode()
    with pytest.raises(ValueError):
        decode_response(said, DRAWING)


def test_messages_are_short_and_printable() -> None:
    said = decode_response(encode_response(Response(ProgramInvalid("a\x00b\n\ud800" + "x" * 10_000)), REQUEST), REQUEST)
    assert isinstance(said.outcome, ExecutionFailed)
    assert said.outcome.message.startswith("a?b??xxx")
    assert len(said.outcome.message) == 500


def test_answer_to_another_order_is_rejected() -> None:
    other = Request(TaskSpec(circuit=REQUEST.spec.circuit, shots=REQUEST.spec.shots), "another token")
    with pytest.raises(ValueError, match="another request"):
        decode_response(encode_response(Response(RESULT), other), REQUEST)


def test_every_failure_code_a_child_may_give_is_known() -> None:
    kinds = list(ExecutionFailed.__subclasses__())
    assert kinds
    for kind in kinds:
        response = decode_response(encode_response(Response(kind("message")), REQUEST), REQUEST)
        assert type(response.outcome) is kind


def test_all_mistakes_of_an_inspected_program_survive() -> None:
    error, other = ProgramInvalid("one", line=1, column=2), ProgramUnsupported("another", line=3)
    error.others = (other,)
    outcome = decode_response(encode_response(Response(error), INSPECTING), INSPECTING).outcome
    assert isinstance(outcome, ProgramInvalid)
    assert [one.failure for one in (outcome, *outcome.others)] == [error.failure, other.failure]


def test_task_that_was_run_fails_with_its_first_mistake_only() -> None:
    error = ProgramInvalid("one", line=1, column=2)
    error.others = (ProgramInvalid("another", line=3),)
    assert b"another" not in encode_response(Response(error), REQUEST)


def test_more_mistakes_than_there_may_be_are_not_believed() -> None:
    error = ProgramInvalid("one")
    error.others = (ProgramInvalid("another"),) * 20
    with pytest.raises(ValueError, match="20 more mistakes"):
        decode_response(encode_response(Response(error), INSPECTING), INSPECTING)

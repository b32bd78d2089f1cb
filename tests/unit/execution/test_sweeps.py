"""One program at many points, in the simulator process."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import openqasm3
import pytest

from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramTooLarge, TimeLimitExceeded
from ketline.domain.results.result import Register, RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Drawing, Inspection
from ketline.domain.tasks.seeds import point_seed
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.protocol.responses import Response, decode_response, encode_response

TURN = """OPENQASM 3.0;
include "stdgates.inc";
input float theta;
input int[32] times;
qubit[2] q;
bit[2] c;
bit d;
for int i in [1:times] { ry(theta) q[0]; }
cx q[0], q[1];
c = measure q;
d = c[0];
"""
SWEPT: Inputs = {"theta": [0.0, 0.7, 3.141592653589793], "times": 1}


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits())


def request(inputs: Inputs, circuit: str = TURN, **options: object) -> Request:
    return Request(TaskSpec(circuit=circuit, shots=200, options=RunOptions(**options), inputs=inputs), "token")  # type: ignore[arg-type]


def result_of(answer: Response) -> RunResult:
    assert isinstance(answer.outcome, RunResult), answer.outcome
    return answer.outcome


def failure_of(answer: Response) -> ExecutionFailed:
    assert isinstance(answer.outcome, ExecutionFailed), answer.outcome
    return answer.outcome


def test_each_point_is_what_a_task_of_it_alone_gives(executor: Executor) -> None:
    result = result_of(executor.respond(request(SWEPT, seed=11, memory=True)))
    assert result.points is not None
    assert (result.counts, result.memory, result.shots) == ({}, None, 200)
    for number, theta in enumerate([0.0, 0.7, 3.141592653589793]):
        alone = result_of(
            executor.respond(request({"theta": theta, "times": 1}, seed=point_seed(11, number), memory=True))
        )
        point = result.points[number]
        assert (point.counts, point.memory) == (alone.counts, alone.memory)
    assert result.points[0].counts == {"0 00": 200}
    assert result.points[2].counts == {"1 11": 200}


def test_profile_is_the_first_points(executor: Executor) -> None:
    result = result_of(executor.respond(request({"theta": 0.3, "times": [2, 5]})))
    assert result.profile.operations["ry"] == 2
    assert result.profile.registers == (Register(bits=2, name="c"), Register(bits=1, name="d"))


def test_program_is_parsed_once(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = openqasm3.parse

    def noting(text: str) -> Any:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(openqasm3, "parse", noting)
    result = result_of(executor.respond(request({"theta": [0.1 * number for number in range(20)], "times": 1})))
    assert len(result.points or ()) == 20
    assert parsed == [TURN]


def test_answer_travels(executor: Executor) -> None:
    asked = request(SWEPT, seed=1, memory=True)
    response = executor.respond(asked)
    assert decode_response(encode_response(response, asked), asked).outcome == response.outcome


def test_shots_take_no_more_than_was_counted(executor: Executor) -> None:
    """Otherwise a result within the limit would break off on its way."""
    asked = request({"theta": [0.0] * 9, "times": 1}, memory=True)
    encoded = encode_response(executor.respond(asked), asked)
    assert len(encoded) < 9 * 200 * len('"0 00",') + 2000


@pytest.mark.parametrize("name", ["a\0b", "a\ud800", "n" * 300])
def test_register_name_that_nobody_could_ask_for_is_none(executor: Executor, name: str) -> None:
    """QPY allows any; PostgreSQL could never store some of them."""
    asked = request({"theta": 0.1, "times": 1})
    result = result_of(executor.respond(asked))
    profile = replace(result.profile, registers=(Register(bits=2, name=name), Register(bits=1, name="d")))
    response = decode_response(encode_response(Response(replace(result, profile=profile)), asked), asked)
    assert result_of(response).profile.registers == (Register(bits=2), Register(bits=1, name="d"))


def test_answer_with_other_points_is_rejected(executor: Executor) -> None:
    asked = request(SWEPT)
    other = encode_response(executor.respond(request({"theta": [0.1, 0.2], "times": 1})), asked)
    with pytest.raises(ValueError, match="2 results of 3 points"):
        decode_response(other, asked)


def test_failure_says_at_which_point_it_came(executor: Executor) -> None:
    failure = failure_of(executor.respond(request({"theta": 0.1, "times": [1, True]})))
    assert isinstance(failure, ProgramInvalid)
    assert failure.message == "at point 1: input 'times' must be a value of type 'int[32]'"
    assert failure.failure.line == 4


def test_wrong_program_fails_as_ever(executor: Executor) -> None:
    failure = failure_of(executor.respond(request({"theta": [0.1, 0.2]}, circuit="qubit q\nh q;")))
    assert isinstance(failure, ProgramInvalid)
    assert not failure.message.startswith("at point")


def test_results_of_all_points_count_towards_the_largest() -> None:
    executor = Executor(ExecutionLimits(max_result_bytes=100))
    assert result_of(executor.respond(request({"theta": [0.0, 0.0], "times": 1}))).points is not None
    failure = failure_of(executor.respond(request({"theta": [0.0] * 9, "times": 1})))
    assert isinstance(failure, ProgramTooLarge)
    assert failure.message.startswith("at point 6: ")


# In a process where Hypothesis was at work the alarm may go off inside its callback of the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_reading_all_points_has_one_soft_limit() -> None:
    limits = ExecutionLimits(soft_time_limit=timedelta(seconds=0.5))
    response = Executor(limits).respond(request({"theta": [0.1] * 9000, "times": 300}))
    assert isinstance(failure_of(response), TimeLimitExceeded)
    assert response.retiring


def test_inspection_and_drawing_show_the_first_point(executor: Executor) -> None:
    inspected = Request(
        TaskSpec(circuit=TURN, shots=200, inputs={"theta": 0.2, "times": [3, 7]}), command=Command.INSPECT
    )
    inspection = executor.respond(inspected).outcome
    assert isinstance(inspection, Inspection)
    assert inspection.operations == {"ry": 3, "cx": 1, "measure": ANY}
    drawn = Request(
        TaskSpec(circuit=TURN, shots=200, inputs=inspected.spec.inputs), command=Command.DRAW, drawing=Drawing.FLAT
    )
    flat = executor.respond(drawn).outcome
    assert isinstance(flat, str)
    assert flat.count("ry(") == 3

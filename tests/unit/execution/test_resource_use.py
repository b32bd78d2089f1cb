"""A process measures what each run took of it, and nothing of what was there before."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ketline.domain.errors import ProgramInvalid
from ketline.domain.results.result import RunResult
from ketline.execution.child.resource_use import ResourceUse
from ketline.execution.protocol.responses import Response
from tests.unit.execution.test_protocol import INSPECTION, RESULT

HELD_BYTES = 256 << 20


@pytest.fixture
def use() -> ResourceUse:
    return ResourceUse()


def measured(use: ResourceUse) -> tuple[float | None, int | None]:
    outcome = use.added_to(Response(RESULT)).outcome
    assert isinstance(outcome, RunResult)
    assert replace(outcome, profile=RESULT.profile) == RESULT
    return outcome.profile.processor_seconds, outcome.profile.memory_bytes


def test_memory_is_the_peak_since_the_beginning(use: ResourceUse) -> None:
    use.begin()
    held = bytearray(HELD_BYTES)
    held[:: os.sysconf("SC_PAGE_SIZE")] = b"1" * len(held[:: os.sysconf("SC_PAGE_SIZE")])
    del held
    _, large = measured(use)
    use.begin()
    _, small = measured(use)
    assert large is not None
    assert small is not None
    assert large - small > HELD_BYTES * 0.9


def test_processor_time_is_that_since_the_beginning(use: ResourceUse) -> None:
    use.begin()
    sum(range(3_000_000))
    long, _ = measured(use)
    use.begin()
    short, _ = measured(use)
    assert long is not None
    assert short is not None
    assert 0 <= short < long


def test_memory_is_unknown_where_its_peak_cannot_be_reset(tmp_path: Path) -> None:
    use = ResourceUse(str(tmp_path / "no file"))
    use.begin()
    seconds, memory = measured(use)
    assert seconds is not None
    assert memory is None


@pytest.mark.parametrize("outcome", [INSPECTION, "<svg>", ProgramInvalid("no gate")])
def test_other_outcomes_stay_as_they_are(use: ResourceUse, outcome: object) -> None:
    response = Response(outcome)  # type: ignore[arg-type]
    assert use.added_to(response) is response

"""A short seeded storm over each mode: every kind of fault, then every invariant."""

from pathlib import Path

import pytest

from tests.chaos.storm.plan import Plan, quick_plan
from tests.chaos.storm.run import run
from tests.chaos.verdict.outcome import Outcome

SEED = 7


@pytest.mark.timeout(400)
async def test_distributed_service_keeps_its_promises_in_a_storm(tmp_path: Path) -> None:
    outcome = await _storm(quick_plan("distributed", SEED), tmp_path)
    assert outcome.kills >= 8


@pytest.mark.timeout(300)
async def test_embedded_service_keeps_its_promises_in_a_storm(tmp_path: Path) -> None:
    outcome = await _storm(quick_plan("embedded", SEED), tmp_path)
    assert outcome.kills >= 4


async def _storm(plan: Plan, directory: Path) -> Outcome:
    outcome = await run(plan, logs=directory)
    assert outcome.violations == [], f"logs in {directory}: {outcome.violations[:10]}"
    assert outcome.acknowledged >= plan.tasks
    return outcome

"""Short seeded storms over each mode: every kind of fault, then every invariant."""

from pathlib import Path

import pytest

from tests.chaos.run.chaos_run import run
from tests.chaos.run.plan import BrokerKind, Mode, Plan, quick_plan, quick_scarcity_plan
from tests.chaos.verdict.outcome import Outcome

SEED = 7

pytestmark = pytest.mark.long


@pytest.mark.timeout(400)
async def test_distributed_service_keeps_its_promises_in_a_storm(tmp_path: Path) -> None:
    outcome = await _storm(quick_plan("distributed", SEED), tmp_path)
    assert outcome.kills >= 8


@pytest.mark.timeout(400)
@pytest.mark.parametrize("broker", ["redis", "redis-aof"])
async def test_distributed_service_on_redis_keeps_its_promises_in_a_storm(broker: BrokerKind, tmp_path: Path) -> None:
    outcome = await _storm(quick_plan("distributed", SEED, broker=broker), tmp_path)
    assert outcome.kills >= 8


@pytest.mark.timeout(300)
async def test_embedded_service_keeps_its_promises_in_a_storm(tmp_path: Path) -> None:
    outcome = await _storm(quick_plan("embedded", SEED), tmp_path)
    assert outcome.kills >= 4


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["distributed", "embedded"])
async def test_scarcity_costs_no_task_its_attempts(mode: Mode, tmp_path: Path) -> None:
    plan = quick_scarcity_plan(mode, SEED)
    outcome = await _storm(plan, tmp_path)
    assert {injection.kind for injection in outcome.injections} == set(plan.faults), outcome.missed


async def _storm(plan: Plan, directory: Path) -> Outcome:
    outcome = await run(plan, logs=directory)
    assert outcome.violations == [], f"logs in {directory}: {outcome.violations[:10]}"
    assert outcome.acknowledged >= plan.tasks
    return outcome

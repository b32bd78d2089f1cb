"""Simulators are occupied once all of them have run their programs for a while."""

import asyncio

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.tasks.spec import TaskSpec
from ketline.worker.occupancy import Occupancy
from ketline.worker.pool import SimulatorPool
from tests.runners import HandClock, ScriptedRunner


@pytest.fixture
def values() -> list[bool]:
    return []


@pytest.fixture
def occupancy(values: list[bool]) -> Occupancy:
    made = Occupancy(seconds=0.01)
    made.changed = values.append
    return made


async def test_pool_is_occupied_while_all_its_runners_run_long_programs(
    occupancy: Occupancy, values: list[bool]
) -> None:
    first, second = ScriptedRunner(held=True), ScriptedRunner(held=True)
    pool = SimulatorPool(HandClock(), lambda: None, occupancy=occupancy)
    async with pool.added(first), pool.added(second):
        runs = [asyncio.create_task(pool.run(TaskSpec(circuit="long", shots=10), DEFAULT_PROJECT))]
        await first.started.wait()
        assert not await occupancy.wait(0.05), "one is free"
        runs.append(asyncio.create_task(pool.run(TaskSpec(circuit="long", shots=10), DEFAULT_PROJECT)))
        assert await occupancy.wait(5)
        first.release.set()
        await runs[0]
        assert not occupancy.occupied
        second.release.set()
        await runs[1]
    assert values == [True, False]


async def test_pool_of_no_runners_is_not_occupied(occupancy: Occupancy) -> None:
    runner = ScriptedRunner(held=True)
    pool = SimulatorPool(HandClock(), lambda: None, occupancy=occupancy)
    async with pool.added(runner):
        running = asyncio.create_task(pool.run(TaskSpec(circuit="long", shots=10), DEFAULT_PROJECT))
        assert await occupancy.wait(5)
    assert not occupancy.occupied
    runner.release.set()
    await running
    assert not await occupancy.wait(0.05)


async def test_each_new_program_restarts_the_time(occupancy: Occupancy, values: list[bool]) -> None:
    occupancy.update(all_busy=True)
    assert await occupancy.wait(5)
    occupancy.update(all_busy=True)
    assert not occupancy.occupied
    assert await occupancy.wait(5)
    assert values == [True, False, True]


async def test_waits_end_once_closed(occupancy: Occupancy, values: list[bool]) -> None:
    waiting = asyncio.create_task(occupancy.wait())
    await asyncio.sleep(0)
    occupancy.close()
    assert not await waiting
    occupancy.update(all_busy=True)
    assert not await occupancy.wait(0.05)
    assert not occupancy.occupied
    assert values == []

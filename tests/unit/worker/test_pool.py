"""Simulators are lent in the order they were asked for, and nobody waits long for one that runs a long program."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from ketline.domain.errors import MachineBusy, NoFreeSlot, SimulatorNotStarted
from ketline.domain.spec import TaskSpec
from ketline.worker.pool import A_LONG_ONE, SHORT_ENOUGH, SimulatorPool
from tests.runners import RESULT, HandClock, ScriptedRunner


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def told() -> list[bool]:
    return []


@pytest.fixture
def pool(clock: HandClock, told: list[bool]) -> SimulatorPool:
    made = SimulatorPool(clock, lambda: told.append(made.short))
    return made


def programs(runner: ScriptedRunner) -> list[str]:
    return [spec.circuit for spec in runner.specs]


async def run_short_ones(pool: SimulatorPool, count: int = SHORT_ENOUGH) -> None:
    for _ in range(count):
        assert await pool.run(TaskSpec(circuit="short", shots=10)) == RESULT


async def test_first_who_asks_has_the_first_that_is_free(pool: SimulatorPool) -> None:
    first, second = ScriptedRunner(held=True), ScriptedRunner(held=True)
    async with pool.offering(first), pool.offering(second):
        running = [asyncio.create_task(pool.run(TaskSpec(circuit=program, shots=10))) for program in "abcd"]
        await second.started.wait()
        second.release.set()
        await asyncio.gather(*running[1:])
        first.release.set()
        await running[0]
    assert (programs(first), programs(second)) == (["a"], ["b", "c", "d"])


async def test_programs_are_short_after_many_short_ones(pool: SimulatorPool, told: list[bool]) -> None:
    async with pool.offering(ScriptedRunner()):
        await run_short_ones(pool, SHORT_ENOUGH - 1)
        assert told == [False]
        await run_short_ones(pool, 1)
    assert told == [False, True, True]


async def test_refused_program_says_nothing_of_the_others(pool: SimulatorPool) -> None:
    async with pool.offering(ScriptedRunner(MachineBusy("it waits"))):
        for _ in range(SHORT_ENOUGH):
            with pytest.raises(MachineBusy):
                await pool.run(TaskSpec(circuit="large", shots=10))
    assert not pool.short


async def test_one_long_program_counts_as_many_short_ones(pool: SimulatorPool, clock: HandClock) -> None:
    class Slow(ScriptedRunner):
        async def run(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
            clock.now += 1.0
            return RESULT

    async with pool.offering(ScriptedRunner()):
        await run_short_ones(pool, SHORT_ENOUGH - 1)
    async with pool.offering(Slow()):  # type: ignore[arg-type]
        await pool.run(TaskSpec(circuit="long", shots=10))
    async with pool.offering(ScriptedRunner()):
        await run_short_ones(pool, A_LONG_ONE)
        assert not pool.short
        await run_short_ones(pool, 1)
        assert pool.short


async def test_who_waits_long_is_turned_away(pool: SimulatorPool) -> None:
    pool.acquire_timeout_seconds = 0.01
    long = ScriptedRunner(held=True)
    async with pool.offering(ScriptedRunner()):
        await run_short_ones(pool)
    async with pool.offering(long):
        running = asyncio.create_task(pool.run(TaskSpec(circuit="long", shots=10)))
        await long.started.wait()
        waiting = [asyncio.create_task(pool.run(TaskSpec(circuit="short", shots=10))) for _ in range(3)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [NoFreeSlot] * 3
        assert not pool.short
        long.release.set()
        assert await running == RESULT
        assert await pool.run(TaskSpec(circuit="next", shots=10)) == RESULT


async def test_patience_counts_for_each_who_waits(pool: SimulatorPool) -> None:
    pool.acquire_timeout_seconds = 0.05
    runner = ScriptedRunner(held=True)
    async with pool.offering(runner):
        running = asyncio.create_task(pool.run(TaskSpec(circuit="a", shots=10)))
        await runner.started.wait()
        second = asyncio.create_task(pool.run(TaskSpec(circuit="b", shots=10)))
        await asyncio.sleep(0)
        third = asyncio.create_task(pool.run(TaskSpec(circuit="c", shots=10)))
        await asyncio.sleep(0)
        runner.release.set()
        assert [await one for one in (running, second, third)] == [RESULT] * 3


async def test_cancelled_while_a_simulator_is_on_its_way_loses_none(pool: SimulatorPool) -> None:
    runner = ScriptedRunner(held=True)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(pool.offering(runner))
        running = asyncio.create_task(pool.run(TaskSpec(circuit="a", shots=10)))
        await runner.started.wait()
        waiting = asyncio.create_task(pool.run(TaskSpec(circuit="b", shots=10)))
        await asyncio.sleep(0)
        pool._waiting[0].set_result(runner)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        runner.release.set()
        await running
        assert await pool.run(TaskSpec(circuit="c", shots=10)) == RESULT
    assert programs(runner) == ["a", "c"]


async def test_runner_without_a_simulator_is_lent_no_more(pool: SimulatorPool) -> None:
    failing, sound = ScriptedRunner(SimulatorNotStarted("too many open files")), ScriptedRunner()
    async with pool.offering(failing) as failed:
        with pytest.raises(SimulatorNotStarted):
            await pool.run(TaskSpec(circuit="a", shots=10))
        assert failed.is_set()
        assert pool.size == 0
        async with pool.offering(sound) as sound_failed:
            assert [await pool.run(TaskSpec(circuit="b", shots=10)) for _ in range(3)] == [RESULT] * 3
            assert not sound_failed.is_set()
            assert pool.size == 1

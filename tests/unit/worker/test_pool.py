"""The pool runs programs in the order of the calls, and rejects calls that wait long for a simulator."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.errors import MachineBusy, NoFreeSlot, SimulatorNotStarted
from ketline.domain.tasks.spec import TaskSpec
from ketline.worker.pool import LONG_PENALTY, SHORT_SCORE, SimulatorPool
from tests.runners import RESULT, HandClock, ScriptedRunner


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def values() -> list[bool]:
    return []


@pytest.fixture
def pool(clock: HandClock, values: list[bool]) -> SimulatorPool:
    made = SimulatorPool(clock, lambda: values.append(made.short))
    return made


def programs(runner: ScriptedRunner) -> list[str]:
    return [spec.circuit for spec in runner.specs]


async def run_short_programs(pool: SimulatorPool, count: int = SHORT_SCORE) -> None:
    for _ in range(count):
        assert await pool.run(TaskSpec(circuit="short", shots=10), DEFAULT_PROJECT) == RESULT


async def test_first_call_gets_the_first_free_runner(pool: SimulatorPool) -> None:
    first, second = ScriptedRunner(held=True), ScriptedRunner(held=True)
    async with pool.added(first), pool.added(second):
        running = [
            asyncio.create_task(pool.run(TaskSpec(circuit=program, shots=10), DEFAULT_PROJECT)) for program in "abcd"
        ]
        await second.started.wait()
        second.release.set()
        await asyncio.gather(*running[1:])
        first.release.set()
        await running[0]
    assert (programs(first), programs(second)) == (["a"], ["b", "c", "d"])


async def test_programs_are_short_after_many_short_ones(pool: SimulatorPool, values: list[bool]) -> None:
    async with pool.added(ScriptedRunner()):
        await run_short_programs(pool, SHORT_SCORE - 1)
        assert values == [False]
        await run_short_programs(pool, 1)
    assert values == [False, True, True]


async def test_deferred_program_does_not_count_as_short(pool: SimulatorPool) -> None:
    async with pool.added(ScriptedRunner(MachineBusy("it waits"))):
        for _ in range(SHORT_SCORE):
            with pytest.raises(MachineBusy):
                await pool.run(TaskSpec(circuit="large", shots=10), DEFAULT_PROJECT)
    assert not pool.short


async def test_one_long_program_counts_as_many_short_ones(pool: SimulatorPool, clock: HandClock) -> None:
    class Slow(ScriptedRunner):
        async def run(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
            clock.now += 1.0
            return RESULT

    async with pool.added(ScriptedRunner()):
        await run_short_programs(pool, SHORT_SCORE - 1)
    async with pool.added(Slow()):  # type: ignore[arg-type]
        await pool.run(TaskSpec(circuit="long", shots=10), DEFAULT_PROJECT)
    async with pool.added(ScriptedRunner()):
        await run_short_programs(pool, LONG_PENALTY)
        assert not pool.short
        await run_short_programs(pool, 1)
        assert pool.short


async def test_calls_that_wait_too_long_are_rejected(pool: SimulatorPool) -> None:
    pool.acquire_timeout_seconds = 0.01
    long = ScriptedRunner(held=True)
    async with pool.added(ScriptedRunner()):
        await run_short_programs(pool)
    async with pool.added(long):
        running = asyncio.create_task(pool.run(TaskSpec(circuit="long", shots=10), DEFAULT_PROJECT))
        await long.started.wait()
        waiting = [
            asyncio.create_task(pool.run(TaskSpec(circuit="short", shots=10), DEFAULT_PROJECT)) for _ in range(3)
        ]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [NoFreeSlot] * 3
        assert not pool.short
        long.release.set()
        assert await running == RESULT
        assert await pool.run(TaskSpec(circuit="next", shots=10), DEFAULT_PROJECT) == RESULT


async def test_acquire_timeout_applies_to_each_waiting_call(pool: SimulatorPool) -> None:
    pool.acquire_timeout_seconds = 0.05
    runner = ScriptedRunner(held=True)
    async with pool.added(runner):
        running = asyncio.create_task(pool.run(TaskSpec(circuit="a", shots=10), DEFAULT_PROJECT))
        await runner.started.wait()
        second = asyncio.create_task(pool.run(TaskSpec(circuit="b", shots=10), DEFAULT_PROJECT))
        await asyncio.sleep(0)
        third = asyncio.create_task(pool.run(TaskSpec(circuit="c", shots=10), DEFAULT_PROJECT))
        await asyncio.sleep(0)
        runner.release.set()
        assert [await one for one in (running, second, third)] == [RESULT] * 3


async def test_call_cancelled_while_it_acquires_a_runner_puts_it_back(pool: SimulatorPool) -> None:
    runner = ScriptedRunner(held=True)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(pool.added(runner))
        running = asyncio.create_task(pool.run(TaskSpec(circuit="a", shots=10), DEFAULT_PROJECT))
        await runner.started.wait()
        waiting = asyncio.create_task(pool.run(TaskSpec(circuit="b", shots=10), DEFAULT_PROJECT))
        await asyncio.sleep(0)
        pool._waiting[0].set_result(runner)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        runner.release.set()
        await running
        assert await pool.run(TaskSpec(circuit="c", shots=10), DEFAULT_PROJECT) == RESULT
    assert programs(runner) == ["a", "c"]


async def test_runner_without_a_simulator_leaves_the_pool(pool: SimulatorPool) -> None:
    failing, sound = ScriptedRunner(SimulatorNotStarted("too many open files")), ScriptedRunner()
    async with pool.added(failing) as failed:
        with pytest.raises(SimulatorNotStarted):
            await pool.run(TaskSpec(circuit="a", shots=10), DEFAULT_PROJECT)
        assert failed.is_set()
        assert pool.size == 0
        async with pool.added(sound) as sound_failed:
            assert [await pool.run(TaskSpec(circuit="b", shots=10), DEFAULT_PROJECT) for _ in range(3)] == [RESULT] * 3
            assert not sound_failed.is_set()
            assert pool.size == 1


async def test_free_runner_whose_simulator_ended_leaves_the_pool_and_one_in_use_stays(pool: SimulatorPool) -> None:
    busy, free = ScriptedRunner(held=True), ScriptedRunner()
    async with pool.added(busy) as busy_failed, pool.added(free) as free_failed:
        running = asyncio.create_task(pool.run(TaskSpec(circuit="a", shots=10), DEFAULT_PROJECT))
        await busy.started.wait()
        pool.drop_idle(busy)
        pool.drop_idle(free)
        assert (busy_failed.is_set(), free_failed.is_set()) == (False, True)
        assert pool.size == 1
        busy.release.set()
        assert await running == RESULT
        assert await pool.run(TaskSpec(circuit="b", shots=10), DEFAULT_PROJECT) == RESULT
    assert programs(busy) == ["a", "b"]

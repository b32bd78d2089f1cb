"""A loop continues after failed steps, and logs the same failure once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from ketline.domain.errors import DatabaseUnavailable, QueueUnavailable
from ketline.service.loop import Loop

NEVER = 3600.0
DOWN = DatabaseUnavailable("down")


class Script:
    """A step with scripted outcomes, which stops the loop after the last one."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.slept: list[float] = []

    def loop(self, *, quiet: bool = False, retry_seconds: float | None = None) -> Loop:
        self.made = Loop(
            self.step,
            5.0,
            delayed="step.delayed",
            crashed="step.crashed",
            sleep=self.sleep,
            retry_seconds=retry_seconds,
            quiet=quiet,
        )
        return self.made

    async def step(self) -> None:
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.made.stop()
        if outcome is not None:
            raise outcome

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def waking(step: Callable[[], Awaitable[None]], wake: asyncio.Event, retry_seconds: float | None = None) -> Loop:
    return Loop(step, NEVER, delayed="delayed", crashed="crashed", wake=wake, retry_seconds=retry_seconds)


async def test_steps_follow_each_other_at_the_interval_and_after_failures_sooner() -> None:
    script = Script(None, DOWN, RuntimeError("a defect"), None, None)
    await script.loop(retry_seconds=1.0).run()
    assert script.slept == [5.0, 1.0, 1.0, 5.0]


async def test_failure_is_logged_once_until_a_step_succeeds() -> None:
    with capture_logs() as lines:
        await Script(DOWN, DOWN, None, DOWN, None).loop().run()
    assert [(line["event"], line["log_level"], line["code"]) for line in lines] == [
        ("step.delayed", "warning", "database_unavailable")
    ] * 2


async def test_each_kind_of_failure_is_logged() -> None:
    with capture_logs() as lines:
        await Script(DOWN, QueueUnavailable("down"), KeyError("x"), KeyError("x"), KeyError("y"), None).loop().run()
    assert [line["event"] for line in lines] == ["step.delayed"] * 2 + ["step.crashed"] * 2
    assert [line["log_level"] for line in lines] == ["warning"] * 2 + ["error"] * 2
    assert isinstance(lines[-1]["exc_info"], KeyError)


async def test_quiet_loop_logs_delays_for_debugging_only() -> None:
    with capture_logs() as lines:
        await Script(DOWN, RuntimeError("a defect"), None).loop(quiet=True).run()
    assert [line["log_level"] for line in lines] == ["debug", "error"]


async def test_wake_ends_the_pause_also_when_it_comes_during_a_step() -> None:
    wake, counted = asyncio.Event(), asyncio.Event()
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        if steps < 3:
            wake.set()
        else:
            counted.set()

    running = asyncio.create_task(waking(step, wake).run())
    async with asyncio.timeout(5):
        await counted.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert steps == 3


async def test_wake_does_not_end_the_pause_after_a_failure_with_a_time_of_its_own() -> None:
    wake, failed = asyncio.Event(), asyncio.Event()
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        wake.set()
        failed.set()
        raise DOWN

    running = asyncio.create_task(waking(step, wake, retry_seconds=NEVER).run())
    async with asyncio.timeout(5):
        await failed.wait()
        await asyncio.sleep(0)
    assert steps == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_step_that_got_through_and_then_fails_is_logged_each_time() -> None:
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        loop.succeeded()
        if steps == 3:
            loop.stop()
        raise DOWN

    loop = Loop(step, 0.0, delayed="delayed", crashed="crashed")
    with capture_logs() as lines:
        await loop.run()
    assert [line["event"] for line in lines] == ["delayed"] * 3

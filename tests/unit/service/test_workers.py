"""A worker sends heartbeats at intervals, also after some of them failed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ketline.domain.attempts.worker import WorkerCondition, WorkerIdentity
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import WorkerId
from ketline.service.health.heartbeat import REMOVE_AFTER, Heartbeat, LostWorkerCleanup
from ketline.service.health.simulators import SimulatorStatus
from tests.inspectors import FakeWorkerRegistry

IDENTITY = WorkerIdentity(worker_id=WorkerId("worker-1"), slots=2, version="1.2.3")
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Steps:
    """A clock that the test advances, one wait at a time."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._waiting = asyncio.Event()
        self._go_on = asyncio.Event()

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._waiting.set()
        await self._go_on.wait()
        self._go_on.clear()

    async def reached(self) -> None:
        """Return when the loop waits."""
        await self._waiting.wait()
        self._waiting.clear()

    async def step(self) -> None:
        """Let the loop continue, and return when it waits again."""
        self._go_on.set()
        await self.reached()


async def running(run: Callable[[], Awaitable[None]], steps: Steps, test: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.ensure_future(run())
    try:
        async with asyncio.timeout(5):
            await steps.reached()
            await test()
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


@pytest.fixture
def registry() -> FakeWorkerRegistry:
    return FakeWorkerRegistry()


async def test_every_beat_names_the_first_one_and_lasts_for_three(registry: FakeWorkerRegistry) -> None:
    steps = Steps()

    async def test() -> None:
        await steps.step()
        await steps.step()

    await running(Heartbeat(registry, steps, IDENTITY, 5.0).run, steps, test)
    lifetime = timedelta(seconds=15)
    assert registry.beats == [(IDENTITY, None, lifetime), (IDENTITY, STARTED, lifetime), (IDENTITY, STARTED, lifetime)]
    assert steps.waits == [5.0] * 3
    assert registry.left == [("worker-1", STARTED)]


@pytest.mark.parametrize("error", [DatabaseUnavailable("down"), KeyError("a defect")])
async def test_failure_is_logged_once_and_beats_go_on(registry: FakeWorkerRegistry, error: Exception) -> None:
    steps = Steps()

    async def test() -> None:
        registry.error = error
        await steps.step()
        await steps.step()
        registry.error = None
        await steps.step()
        registry.error = error
        await steps.step()

    with capture_logs() as lines:
        await running(Heartbeat(registry, steps, IDENTITY, 5.0).run, steps, test)
    assert [line["event"] for line in lines] == ["worker.beat_failed"] * 2
    assert len(registry.beats) == 5


async def test_worker_that_never_registered_does_not_leave(registry: FakeWorkerRegistry) -> None:
    steps = Steps()
    registry.error = DatabaseUnavailable("down")
    await running(Heartbeat(registry, steps, IDENTITY, 5.0).run, steps, steps.step)
    assert registry.left == []


async def test_lost_workers_are_removed_at_intervals(registry: FakeWorkerRegistry) -> None:
    steps = Steps()

    async def test() -> None:
        assert registry.cleanups == []
        await steps.step()
        registry.error = DatabaseUnavailable("down")
        await steps.step()
        registry.error = KeyError("a defect")
        await steps.step()

    with capture_logs() as lines:
        await running(LostWorkerCleanup(registry, steps).run, steps, test)
    assert registry.cleanups == [REMOVE_AFTER] * 3
    assert [line["event"] for line in lines] == ["workers.cleanup_failed", "workers.crashed"]


async def test_beats_carry_the_number_of_ready_simulators(registry: FakeWorkerRegistry) -> None:
    steps, simulators = Steps(), SimulatorStatus(2)
    simulators.started(0)

    async def test() -> None:
        simulators.failed(1, "no memory")
        await steps.step()

    await running(Heartbeat(registry, steps, IDENTITY, 5.0, simulators).run, steps, test)
    assert registry.conditions == [
        WorkerCondition(ready_slots=1),
        WorkerCondition(ready_slots=1, problem="no memory"),
    ]

"""The adapters of `ketline.runtime`, with a failpoint before and after what they do."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from ketline.db.shares import SqlProjectShares
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.claim import Dispatch
from ketline.domain.errors import MachineBusy, PublishFailed, SimulatorNotStarted
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunnerFactory
from ketline.messaging.memory import MemoryQueue
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from ketline.messaging.redis import RedisConsumer, RedisPublisher
from ketline.ports.tasks.queue import ConsumerSlot, Delivery
from ketline.ports.tasks.runner import CircuitRunner
from ketline.runtime import backends, database, embedded, queue, upkeep, worker
from tests.failpoints import pending_work
from tests.failpoints.backends import open_failing, record_job
from tests.failpoints.failpoint import Failpoints

# Longer than a case takes, unless the task is called back; a worker that dies in between leaves it to its delay.
DEFERRED = timedelta(seconds=3)
Method = Callable[..., Awaitable[Any]]

WRITES = (
    "add",
    "add_all",
    "claim",
    "renew",
    "finish",
    "fail",
    "release",
    "defer",
    "recall",
    "retry",
    "cancel",
    "end_job",
    "enqueue",
    "postpone",
    "start_afresh",
)
# Loops call these all the time: a point is only reached when there is something for the call to do.
SWEEPS = {
    "take_due": pending_work.any_due,
    "take_overdue": pending_work.any_overdue,
    "reap": pending_work.any_expired,
}


def install(points: Failpoints) -> None:
    """Have `ketline.runtime` compose the service of adapters with failpoints."""
    replacements = (
        (database, "SqlTaskRepository", _repository(points)),
        (upkeep, "SqlProjectShares", _shares(points)),
        (queue, "RabbitPublisher", _publisher(points, RabbitPublisher)),
        (queue, "RabbitConsumer", _consumer(points, RabbitConsumer)),
        (queue, "RedisPublisher", _publisher(points, RedisPublisher)),
        (queue, "RedisConsumer", _consumer(points, RedisConsumer)),
        (embedded, "MemoryQueue", _consumer(points, _publisher(points, MemoryQueue))),
        (worker, "ChildRunnerFactory", _runners(points)),
        (backends, "open_entries", partial(open_failing, points)),
    )
    for module, name, replacement in replacements:
        assert name in vars(module)
        setattr(module, name, replacement)


def _repository(points: Failpoints) -> type[SqlTaskRepository]:
    methods = {name: _write(points, name) for name in WRITES} | {name: _sweep(points, name) for name in SWEEPS}
    methods["record_job"] = record_job(points)
    return type("FailingRepository", (SqlTaskRepository,), {"__slots__": (), **methods})


def _write(points: Failpoints, name: str) -> Method:
    real: Method = getattr(SqlTaskRepository, name)

    async def write(self: SqlTaskRepository, *arguments: Any, **options: Any) -> Any:
        await points.reach(f"{name}.before")
        outcome = await real(self, *arguments, **options)
        if name != "claim" or outcome is not None:
            await points.reach(f"{name}.after")
        return outcome

    return write


def _sweep(points: Failpoints, name: str) -> Method:
    real: Method = getattr(SqlTaskRepository, name)
    any_work = SWEEPS[name]

    async def sweep(self: SqlTaskRepository, *arguments: Any, **options: Any) -> Any:
        if points.armed(f"{name}.before"):
            if not await any_work(self.database):
                return []  # what comes up after the look must not be done unstruck
            await points.reach(f"{name}.before")
        outcome = await real(self, *arguments, **options)
        if outcome:
            await points.reach(f"{name}.after")
        return outcome

    return sweep


def _shares(points: Failpoints) -> type[SqlProjectShares]:
    class FailingShares(SqlProjectShares):
        async def measure(self) -> None:
            found = await pending_work.any_unmeasured(self.database)
            if found:
                await points.reach("measure.before")
            await super().measure()
            if found:
                await points.reach("measure.after")

    return FailingShares


def _publisher(points: Failpoints, real: type[Any]) -> type[Any]:
    class FailingPublisher(real):  # type: ignore[misc]
        async def publish(self, dispatch: Dispatch) -> None:
            await points.reach("publish.before", PublishFailed)
            await super().publish(dispatch)
            await points.reach("publish.after", PublishFailed)

    return FailingPublisher


def _consumer(points: Failpoints, real: type[Any]) -> type[Any]:
    class FailingConsumer(real):  # type: ignore[misc]
        @asynccontextmanager
        async def open_slot(self, queue: TaskQueue = SIMULATIONS, *, name: str = "slot") -> AsyncIterator[ConsumerSlot]:
            async with super().open_slot(queue, name=name) as slot:
                yield FailingSlot(points, slot)

    return FailingConsumer


class FailingSlot:
    """A `ConsumerSlot` with a point between the delivery of a message and the slot's hearing of it."""

    def __init__(self, points: Failpoints, slot: ConsumerSlot) -> None:
        self._points = points
        self._slot = slot

    async def receive(self) -> Delivery:
        delivery = await self._slot.receive()
        await self._points.reach("receive.after")
        return FailingDelivery(self._points, delivery)


class FailingDelivery:
    """A `Delivery` with a point on either side of its acknowledgement."""

    def __init__(self, points: Failpoints, delivery: Delivery) -> None:
        self._points = points
        self._delivery = delivery

    @property
    def task_id(self) -> TaskId:
        return self._delivery.task_id

    @property
    def correlation_id(self) -> CorrelationId:
        return self._delivery.correlation_id

    @property
    def trace_context(self) -> str | None:
        return self._delivery.trace_context

    async def acknowledge(self) -> None:
        await self._points.reach("acknowledge.before")
        await self._delivery.acknowledge()
        await self._points.reach("acknowledge.after")


class _Busy(MachineBusy):
    def __init__(self, message: str) -> None:
        super().__init__(message, delay=DEFERRED)


class FailingRunner:
    """A `CircuitRunner` with a point on either side of a run, and those where it can be told why it cannot begin."""

    def __init__(self, points: Failpoints, runner: CircuitRunner) -> None:
        self._points = points
        self._runner = runner

    async def run(self, spec: TaskSpec, project: ProjectName) -> RunResult:
        await self._points.reach("run.before")
        await self._points.reach("admit", _Busy)
        await self._points.reach("start", SimulatorNotStarted)
        result = await self._runner.run(spec, project)
        await self._points.reach("run.after")
        return result


def _runners(points: Failpoints) -> type[ChildRunnerFactory]:
    command = (sys.executable, "-P", "-m", "tests.failpoints.child", str(points.control.directory))

    class FailingRunnerFactory(ChildRunnerFactory):
        def __init__(self, limits: ExecutionLimits, **shared: Any) -> None:
            super().__init__(limits, command=command, **shared)

        def open_runner(
            self, on_idle_end: Callable[[CircuitRunner], None] | None = None
        ) -> AbstractAsyncContextManager[CircuitRunner]:
            return self._open_failing(on_idle_end)

        @asynccontextmanager
        async def _open_failing(
            self, on_idle_end: Callable[[CircuitRunner], None] | None
        ) -> AsyncIterator[CircuitRunner]:
            def report(_: CircuitRunner) -> None:
                if on_idle_end is not None:
                    on_idle_end(failing)

            async with super().open_runner(report) as runner:
                failing = FailingRunner(points, runner)
                yield failing

    return FailingRunnerFactory

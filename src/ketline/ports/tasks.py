"""The queue, the simulators, the clock and the notifications of changes, as ports; see `repositories` for the tasks."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ketline.domain.dead_letters import DeadLetters
from ketline.domain.spec import TaskSpec
from ketline.domain.task import (
    Change,
    CorrelationId,
    Dispatch,
    RunResult,
    TaskId,
)


class Notifier(Protocol):
    """Notifies the clients that wait for a task, in any process, of committed changes; may lose some."""

    def notify(self, *changes: Change) -> None:
        """Sends the changes in the background; returns at once and raises nothing."""
        ...


class TaskPublisher(Protocol):
    """Puts dispatches on the queue; may lose, repeat or reorder them, which the repository makes up for."""

    async def publish(self, dispatch: Dispatch) -> None:
        """Return once the queue has taken responsibility for the message; bounded in time.

        Raises:
            PublishFailed: it has not confirmed; the message may or may not arrive.
        """
        ...

    async def depth(self) -> int:
        """How many messages wait on the queue, in nobody's hands; bounded in time.

        Raises:
            QueueUnavailable: it cannot be asked.
        """
        ...

    async def ping(self) -> None:
        """Return when the queue can be reached.

        Raises:
            QueueUnavailable: it can not.
        """
        ...


class Delivery(Protocol):
    """One message in the hands of one slot."""

    @property
    def task_id(self) -> TaskId: ...

    @property
    def correlation_id(self) -> CorrelationId: ...

    async def acknowledge(self) -> None:
        """Tell the queue the message is dealt with; silent when the connection it came by is gone.

        The queue then delivers the message again, to somebody.
        """
        ...


class ConsumerSlot(Protocol):
    """One consumer with a prefetch of one: the next message comes after the last is acknowledged."""

    async def receive(self) -> Delivery:
        """Wait for the next message, across reconnections; safe to cancel."""
        ...


class DeadLetterBox(Protocol):
    """The messages that were set aside: those a consumer could not read, or that were handed out too often."""

    async def look(self, most: int) -> DeadLetters:
        """Count them and give up to `most` of the oldest; they stay where they are.

        Raises:
            QueueUnavailable: the broker does not answer.
        """
        ...

    async def requeue(self, most: int) -> int:
        """Put those of the oldest `most` that can be read back on the queue, and give how many it were.

        None is lost; one may come twice, which does no harm.

        Raises:
            QueueUnavailable: the broker does not do it, or not to the end.
        """
        ...


class TaskConsumer(Protocol):
    """Gives the messages of the queue to slots, each message to one slot at a time.

    What is not a message of ours is set aside on the dead-letter queue and never reaches a slot.
    """

    def open_slot(self) -> AbstractAsyncContextManager[ConsumerSlot]:
        """A slot that consumes while the context is open; leaving it hands unacknowledged messages back."""
        ...


class CircuitRunner(Protocol):
    """Runs programs, one at a time, in a process that can be killed without harm to the caller."""

    async def run(self, spec: TaskSpec) -> RunResult:
        """Parse and simulate a program; the event loop stays free all the while.

        Without a time limit of its own the runner's holds.

        Cancelling the call kills the simulation; the runner is good for the next program after any outcome.
        `profile.queued_seconds` of the result is 0: the caller knows it.

        Raises:
            ProgramInvalid, ProgramUnsupported, ProgramTooLarge: the program cannot run.
            TimeLimitExceeded, MemoryLimitExceeded: it was stopped.
            SimulationFailed: the simulator refused it, failed or died.
            MachineBusy: the program is large, and another large one runs; it has not begun.
        """
        ...


class RunnerFactory(Protocol):
    """Opens runners, one for each slot."""

    def open_runner(self) -> AbstractAsyncContextManager[CircuitRunner]:
        """A runner whose process is started before the context is entered and gone after it is left."""
        ...


class Clock(Protocol):
    """Local time, for waits and displays; agreement between processes rests on the database's clock."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...

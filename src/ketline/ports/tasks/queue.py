"""The queues between the dispatcher, which publishes task ids, and the workers, which consume them.

There is one queue for each kind of task and each backend, see `domain.queues`. A queue may lose, repeat, delay or
reorder messages; the row of a task in the database decides what happens.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.attempts.dead_letters import DeadLetters
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue


class TaskPublisher(Protocol):
    """Publishes dispatches; may lose, repeat or reorder them."""

    async def publish(self, dispatch: Dispatch) -> None:
        """Return once the queue of the dispatch has confirmed the message; bounded in time.

        Raises:
            QueueFull: that queue has no room now; others may have.
            PublishFailed: the queue has not confirmed it; the message may or may not arrive.
        """
        ...

    async def depth(self, queue: TaskQueue = SIMULATIONS) -> int:
        """Count the messages on a queue that no consumer holds; bounded in time.

        Raises:
            QueueUnavailable: the queue cannot be reached.
        """
        ...

    async def ping(self) -> None:
        """Return if the broker can be reached.

        Raises:
            QueueUnavailable: it cannot be reached.
        """
        ...


class Delivery(Protocol):
    """One message that one slot holds until it is acknowledged."""

    @property
    def task_id(self) -> TaskId: ...

    @property
    def correlation_id(self) -> CorrelationId: ...

    @property
    def trace_context(self) -> str | None: ...

    async def acknowledge(self) -> None:
        """Remove the message from the queue. Does nothing if its connection is lost; the queue then redelivers it."""
        ...


class ConsumerSlot(Protocol):
    """One consumer with a prefetch of one: it receives the next message after the last is acknowledged."""

    async def receive(self) -> Delivery:
        """Wait for the next message, across reconnections; safe to cancel."""
        ...


class TaskConsumer(Protocol):
    """Delivers the messages of the queues to slots, each message to one slot at a time.

    A message that is not Ketline's goes to the dead-letter queue and never reaches a slot.
    """

    def open_slot(
        self, queue: TaskQueue = SIMULATIONS, *, name: str = "slot"
    ) -> AbstractAsyncContextManager[ConsumerSlot]:
        """Open a slot that consumes a queue while the context is open; leaving it returns unacknowledged messages.

        `name` says to operators, who see it at the broker, which consumer of the worker this is.
        """
        ...


class DeadLetterBox(Protocol):
    """The dead letters of all queues: messages that no consumer could read, or that were delivered too often."""

    async def look(self, most: int) -> DeadLetters:
        """Count them and return up to `most` of the oldest; they stay in place. With 0 it reads none.

        Raises:
            QueueUnavailable: the broker does not respond.
        """
        ...

    async def requeue(self, most: int) -> int:
        """Put the readable ones among the oldest `most` back on the queues they were on, and return their number.

        None is lost; one may be delivered twice, which does no harm.

        Raises:
            QueueUnavailable: the broker failed, possibly after some messages.
        """
        ...

"""The queue between the dispatcher, which publishes task ids, and the workers, which consume them.

The queue may lose, repeat, delay or reorder messages; the row of a task in the database decides what happens.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ketline.domain.dead_letters import DeadLetters
from ketline.domain.task import CorrelationId, Dispatch, TaskId


class TaskPublisher(Protocol):
    """Publishes dispatches; may lose, repeat or reorder them."""

    async def publish(self, dispatch: Dispatch) -> None:
        """Return once the queue has confirmed the message; bounded in time.

        Raises:
            PublishFailed: the queue has not confirmed it; the message may or may not arrive.
        """
        ...

    async def depth(self) -> int:
        """Count the messages on the queue that no consumer holds; bounded in time.

        Raises:
            QueueUnavailable: the queue cannot be reached.
        """
        ...

    async def ping(self) -> None:
        """Return if the queue can be reached.

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

    async def acknowledge(self) -> None:
        """Remove the message from the queue. Does nothing if its connection is lost; the queue then redelivers it."""
        ...


class ConsumerSlot(Protocol):
    """One consumer with a prefetch of one: it receives the next message after the last is acknowledged."""

    async def receive(self) -> Delivery:
        """Wait for the next message, across reconnections; safe to cancel."""
        ...


class TaskConsumer(Protocol):
    """Delivers the messages of the queue to slots, each message to one slot at a time.

    A message that is not Ketline's goes to the dead-letter queue and never reaches a slot.
    """

    def open_slot(self) -> AbstractAsyncContextManager[ConsumerSlot]:
        """Open a slot that consumes while the context is entered; leaving it returns unacknowledged messages."""
        ...


class DeadLetterBox(Protocol):
    """The dead letters: messages that no consumer could read, or that were delivered too often."""

    async def look(self, most: int) -> DeadLetters:
        """Count them and return up to `most` of the oldest; they stay in place.

        Raises:
            QueueUnavailable: the broker does not respond.
        """
        ...

    async def requeue(self, most: int) -> int:
        """Requeue the readable ones among the oldest `most`, and return their number.

        None is lost; one may be delivered twice, which does no harm.

        Raises:
            QueueUnavailable: the broker failed, possibly after some messages.
        """
        ...

"""Stores deliveries and the secrets that sign them, and sends messages to callbacks."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, Self

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.deliveries import (
    Attempt,
    AttemptLimits,
    ClaimedDelivery,
    Delivery,
    DeliveryId,
    DeliveryPage,
    DeliveryState,
    SigningSecret,
)


class DeliveryQueue(Protocol):
    """The deliveries of all projects, for the processes that attempt them. Times are the database's.

    Every method raises `DatabaseUnavailable` if the database cannot be read or written.
    """

    async def make(self, limit: int) -> int:
        """Make deliveries for up to `limit` ended tasks that have a callback; return for how many tasks.

        A task is counted once, however often and wherever this is called.
        """
        ...

    async def claim(
        self, limit: int, lease: timedelta, in_progress: Sequence[ClaimedDelivery], most: AttemptLimits
    ) -> Sequence[ClaimedDelivery]:
        """Return up to `limit` deliveries to attempt now, the ones that are due longest first.

        No process gets the same one again before `lease` has passed. With those that are `in_progress` already, no host
        and no project has more than its `most`, however many of one are due.
        """
        ...

    async def delivered(self, claimed: ClaimedDelivery, attempt: Attempt) -> None:
        """Record that the receiver accepted the message, whoever attempts it now."""
        ...

    async def failed(self, claimed: ClaimedDelivery, attempt: Attempt, pause: timedelta) -> DeliveryState | None:
        """Record an attempt that failed; the next one follows after `pause`, or at the end of the day at the latest.

        A delivery that is older than that, or whose receiver is gone, is dead. Return its state, or None if another
        process has begun another attempt.
        """
        ...

    async def correct_times(self) -> int:
        """Make deliveries due that would wait too long because the clock was set back; return how many."""
        ...

    async def delete_ended(self, age: timedelta, limit: int) -> int:
        """Delete up to `limit` deliveries that ended longer ago than `age`, and return how many."""
        ...


class DeliveryLog(Protocol):
    """The deliveries of a project, for its members.

    Every method raises `DatabaseUnavailable` if the database cannot be read or written.
    """

    def within(self, project: ProjectName) -> Self:
        """Return the log of another project."""
        ...

    async def of_task(self, task_id: TaskId) -> Sequence[Delivery]:
        """Return the deliveries of a task, which may be deleted; none if it has no callback or has not ended.

        Raises:
            TaskNotFound: there is no such task, and no delivery of one.
        """
        ...

    async def find(self, state: DeliveryState | None, before: DeliveryId | None, limit: int) -> DeliveryPage:
        """Return deliveries, the newest first, those before one of them if that is given."""
        ...

    async def repeat(self, task_id: TaskId) -> Delivery:
        """Attempt the delivery of a task now, for another day, whatever its state is.

        Raises:
            DeliveryNotFound: there is no delivery of such a task.
        """
        ...

    async def repeat_dead(self, limit: int) -> int:
        """Attempt up to `limit` dead deliveries again, as `repeat` does, and return how many."""
        ...


class SecretStore(Protocol):
    """The secrets of projects. Every method raises `DatabaseUnavailable` if the database cannot be read or written."""

    async def get(self, project: ProjectName) -> SigningSecret:
        """Return the secret of a project, which is created if it has none."""
        ...

    async def rotate(self, project: ProjectName, secret: str, overlap: timedelta, actor: Actor) -> SigningSecret:
        """Replace the secret of a project, record who did, and sign with the previous one too for `overlap`."""
        ...


class CallbackSender(Protocol):
    """Sends signed messages."""

    async def send(self, claimed: ClaimedDelivery) -> Attempt:
        """Attempt a delivery, within a limited time; never raises for what a receiver or its address does."""
        ...

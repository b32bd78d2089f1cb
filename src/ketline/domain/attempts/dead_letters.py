"""Messages on the dead-letter queue: no worker could read or use them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ketline.domain.ids import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One message. `task_id` is set if the message can be read after all; otherwise `problem` says why it cannot.

    `reason` is why the broker put it there, and `at` when.
    """

    reason: str
    at: datetime | None = None
    task_id: TaskId | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """The number of messages, and the oldest of them."""

    count: int
    oldest: Sequence[DeadLetter] = ()

    @property
    def readable(self) -> int:
        """The number of listed messages that name a task and can be put back on the queue."""
        return sum(letter.task_id is not None for letter in self.oldest)

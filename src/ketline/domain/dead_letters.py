"""Messages that were set aside: nobody could make anything of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ketline.domain.task import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One of them; `task_id` is set where it can be read after all, and `problem` says why not where it cannot.

    `reason` is what the broker tells of how it came there, `at` when.
    """

    reason: str
    at: datetime | None = None
    task_id: TaskId | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """How many there are, and the oldest of them."""

    count: int
    oldest: Sequence[DeadLetter] = ()

    @property
    def readable(self) -> int:
        """How many of the oldest could be put back on the queue to some use."""
        return sum(letter.task_id is not None for letter in self.oldest)

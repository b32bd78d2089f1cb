"""The history of statistics: recorded minutes, and points that sum up periods of them; see `specs/history.md`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NewType

from ketline.domain.access.principals import ProjectName

# The number of a minute since 1970 in UTC.
Minute = NewType("Minute", int)


def minute_of(moment: datetime) -> Minute:
    """The minute that a moment is in."""
    return Minute(int(moment.timestamp() // 60))


def start_of(minute: int) -> datetime:
    """The first moment of a minute."""
    return datetime.fromtimestamp(60 * minute, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """Which minutes, from `first` to before `end`, and how many of them a period has.

    Without a project it is the history of the whole service; without a queue, of all queues.
    """

    project: ProjectName | None
    first: Minute
    end: Minute
    step: int = 1
    queue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """A period that begins at the minute `first`, of which `minutes` were recorded.

    `waiting` and `processing` are means over these minutes, the seconds are means over the tasks that completed or
    failed in them, None if there are none. `workers` and `slots` are the fewest.
    """

    first: Minute
    minutes: int
    workers: int
    slots: int
    waiting: float = 0.0
    most_waiting: int = 0
    processing: float = 0.0
    most_processing: int = 0
    submitted: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    waiting_seconds: float | None = None
    longest_waiting_seconds: float | None = None
    running_seconds: float | None = None
    longest_running_seconds: float | None = None

    @property
    def at(self) -> datetime:
        """When the period begins."""
        return start_of(self.first)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The points of the periods in which a minute was recorded, in order, and the queues that had tasks in them."""

    points: Sequence[HistoryPoint]
    queues: Sequence[str] = ()

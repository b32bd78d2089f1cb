"""Timelines of tasks: the history with durations, and the phases of the last attempt as one bar.

The page of a task shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import StatusChange, Task

# A smaller share of the bar would be invisible.
MIN_WIDTH = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of status, and the seconds until the next one, or until now."""

    change: StatusChange
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A phase of an attempt; `start` and `width` are shares of the bar, 0 to 1."""

    name: str
    seconds: float
    start: float
    width: float


def steps(task: Task, now: datetime) -> Sequence[Step]:
    """The task's history, each change with the time until the next one; the last change of an ended task has none."""
    history = list(task.history)
    ends = [change.transitioned_at for change in history[1:]]
    if history and not history[-1].status.terminal:
        ends.append(max(now, history[-1].transitioned_at))
    lasted = [(end - change.transitioned_at).total_seconds() for change, end in zip(history, ends, strict=False)]
    return [
        Step(change=change, seconds=lasted[index] if index < len(lasted) else None)
        for index, change in enumerate(history)
    ]


def parts(task: Task) -> Sequence[Part]:
    """The phases of a completed task's last attempt, from when it became available; empty for other tasks."""
    if task.profile is None or task.completed_at is None:
        return []
    named = [
        ("queued", task.profile.queued_seconds),
        ("parsing", task.profile.parsing_seconds),
        ("simulating", task.profile.simulating_seconds),
    ]
    rest = _attempt_seconds(task) - task.profile.parsing_seconds - task.profile.simulating_seconds
    return _scaled([*named, ("handling", max(0.0, rest))])


def _attempt_seconds(task: Task) -> float:
    last = task.history[-1] if task.history else None
    return last.duration_seconds or 0.0 if last and last.status is TaskStatus.COMPLETED else 0.0


def _scaled(named: Sequence[tuple[str, float]]) -> Sequence[Part]:
    total = sum(seconds for _, seconds in named) or 1.0
    widths = [max(MIN_WIDTH, seconds / total) for _, seconds in named]
    whole = sum(widths)
    return [
        Part(name=name, seconds=seconds, start=sum(widths[:index]) / whole, width=widths[index] / whole)
        for index, (name, seconds) in enumerate(named)
    ]

"""One live line for many tasks: queued, running, done, failed, and how long it will still take."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self
from uuid import UUID

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ketline.cli.show import errors
from ketline.domain.task import TaskStatus


class BatchProgress:
    """Shows how tasks get on, on a terminal; off it nothing. Standard output stays free for results."""

    def __init__(self, task_ids: Iterable[UUID]) -> None:
        self._statuses: dict[UUID, TaskStatus | None] = dict.fromkeys(task_ids, TaskStatus.PENDING)
        console = errors()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}, ETA"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal or len(self._statuses) < 2,
            transient=True,
        )
        self._line = self._progress.add_task(self.summary, total=len(self._statuses))

    @property
    def summary(self) -> str:
        """How many tasks stand how."""
        standing = list(self._statuses.values())
        done = standing.count(TaskStatus.COMPLETED)
        queued, running = standing.count(TaskStatus.PENDING), standing.count(TaskStatus.PROCESSING)
        failed = len(standing) - done - queued - running
        return f"queued {queued}, running {running}, done {done}, failed {failed}"

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def note(self, task_id: UUID, status: TaskStatus | None) -> None:
        """A task has come to this status; none means that it is gone."""
        self._statuses[task_id] = status
        ended = sum(one is None or one.terminal for one in self._statuses.values())
        self._progress.update(self._line, description=self.summary, completed=ended)

"""The progress line of `ketline run`: how many tasks are queued, running, done and failed, and the time left."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self
from uuid import UUID

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ketline.cli.show import error_console
from ketline.domain.status import TaskStatus


class BatchProgress:
    """Shows the progress of tasks on standard error if that is a terminal; standard output is for results."""

    def __init__(self, task_ids: Iterable[UUID]) -> None:
        self._statuses: dict[UUID, TaskStatus | None] = dict.fromkeys(task_ids, TaskStatus.PENDING)
        console = error_console()
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
        """The number of tasks of each status, as one line of text."""
        statuses = list(self._statuses.values())
        done = statuses.count(TaskStatus.COMPLETED)
        queued, running = statuses.count(TaskStatus.PENDING), statuses.count(TaskStatus.PROCESSING)
        failed = len(statuses) - done - queued - running
        return f"queued {queued}, running {running}, done {done}, failed {failed}"

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def record(self, task_id: UUID, status: TaskStatus | None) -> None:
        """Record a task's new status; None means that the task was deleted."""
        self._statuses[task_id] = status
        ended = sum(status is None or status.terminal for status in self._statuses.values())
        self._progress.update(self._line, description=self.summary, completed=ended)

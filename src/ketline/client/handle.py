"""The handle of a submitted task, for programs without asyncio; `Client` returns it."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from ketline.client.errors import ClientError
from ketline.client.html_repr import task_html
from ketline.client.models import Counts, Event, Result, Task
from ketline.client.problems import failure_of

if TYPE_CHECKING:
    from ketline.client.sync import Client


class TaskHandle:
    """A submitted task: reads its result, waits for it, follows it, cancels it."""

    def __init__(
        self, client: "Client", task_id: UUID, *, submitted_at: datetime | None = None, program: str | None = None
    ) -> None:
        self._client = client
        self._drawing: bytes | None = None
        self.task_id = task_id
        self.submitted_at = submitted_at
        self.program = program
        self.task: Task | None = None

    def __repr__(self) -> str:
        return f"<TaskHandle {self.task_id}{f' {self.task.status}' if self.task else ''}>"

    def refresh(self) -> Task:
        """Read the task; the attribute `task` holds what was read last."""
        self.task = self._client.get(self.task_id)
        return self.task

    def wait(self, *, timeout_seconds: float | None = None) -> Task:
        """Wait until the task has ended, and return it whatever its status; without a timeout there is no limit.

        Raises:
            WaitTimeout: the task has not ended in time.
        """
        if self.task is None or not self.task.ended:
            self.task = self._client.wait(self.task_id, timeout_seconds=timeout_seconds)
        return self.task

    def result(self, *, timeout_seconds: float | None = None) -> Result:
        """Wait until the task has ended, and return its result.

        Raises:
            TaskFailed: the task failed or was cancelled; the message has the reason and the line of the program.
            WaitTimeout: the task has not ended in time.
        """
        task = self.wait(timeout_seconds=timeout_seconds)
        if task.result is None:
            raise failure_of(task, self.program)
        return task.result

    def counts(self, *, timeout_seconds: float | None = None) -> Counts:
        """How often each outcome was measured; raises as `result` does."""
        return self.result(timeout_seconds=timeout_seconds).counts

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """Yield each change of the task's status as it happens, after the event `after`, until the task ends."""
        return self._client.events(self.task_id, after=after)

    def enqueue(self) -> Task:
        """Release the task, which was submitted with `hold`.

        Raises:
            RequestRefused: it was submitted without `hold` (`task_not_held`), or was cancelled before (`task_ended`).
        """
        self.task = self._client.enqueue(self.task_id)
        return self.task

    def cancel(self) -> Task:
        """Cancel the task; a task that is already cancelled is returned as it is.

        Raises:
            RequestRefused: the task completed or failed before (`task_ended`).
        """
        self.task = self._client.cancel(self.task_id)
        return self.task

    def rerun(self, *, seed: int | str = "same", shots: int | None = None) -> "TaskHandle":
        """Run the same program again, as a new task; `seed` is "same", "new", or a number."""
        handle = self._client.rerun(self.task_id, seed=seed, shots=shots)
        handle.program = self.program
        return handle

    def circuit(self, form: str = "text") -> str:
        """The circuit as `text` or `svg`, as `flat` OpenQASM 3, or its `source` as submitted."""
        return self._client.circuit(self.task_id, form)

    def _repr_html_(self) -> str:
        """The task for a notebook, read now with a short timeout; its circuit is read the first time."""
        task, problem = self.task, ""
        try:
            if task is None or not task.ended:
                task = self.task = self._client.glance(self.task_id)
            if self._drawing is None:
                self._drawing = self._client.glance_at_circuit(self.task_id).encode()
        except ClientError as error:
            problem = "" if task is not None else str(error)
        if task is None:
            return task_html(title=f"Task {self.task_id}", status="unknown", problem=problem)
        return task.html(self._drawing)

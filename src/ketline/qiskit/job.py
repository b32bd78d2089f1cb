"""Jobs: one or several tasks of a service, followed together."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import JobError, JobStatus, JobV1

from ketline.client import Client, ClientError, TaskHandle
from ketline.domain.task import TaskStatus
from ketline.qiskit.serialization import Travelling

Asked = tuple[Travelling, dict[str, Any]]


class TaskGroup:
    """The tasks of one job, submitted together and under one name: once, however often the network fails."""

    def __init__(self, client: Client, asked: Sequence[Asked]) -> None:
        self.job_id = str(uuid4())
        self._client = client
        items = [
            {
                **options,
                "program": sent.program,
                "program_format": sent.program_format,
                "tags": ["qiskit", f"job-{self.job_id}"],
            }
            for sent, options in asked
        ]
        self.handles: Sequence[TaskHandle] = client.submit_batch(items, idempotency_key=self.job_id) if items else ()

    def results(self, timeout_seconds: float | None = None) -> list[Any]:
        """What the service found, in the order in which it was asked.

        Raises:
            JobError: a task failed or was cancelled; says which and why.
            ClientError: the service cannot be reached, or they have not ended in time.
        """
        for _ in self._client.as_completed(self._open(), timeout_seconds=timeout_seconds):
            pass
        return [self._result(number, handle) for number, handle in enumerate(self.handles)]

    def _result(self, number: int, handle: TaskHandle) -> Any:
        task = handle.wait()
        if task.result is not None:
            return task.result
        why = f"{task.error.code}: {task.error.message}" if task.error else f"it was {task.status}"
        raise JobError(f"Task {handle.task_id}, number {number} of job {self.job_id}, has no result: {why}")

    def status(self) -> JobStatus:
        for handle in self._open():
            handle.refresh()
        there = {handle.task.status for handle in self.handles if handle.task is not None}
        if TaskStatus.FAILED in there:
            return JobStatus.ERROR
        if TaskStatus.CANCELLED in there:
            return JobStatus.CANCELLED
        if there <= {TaskStatus.COMPLETED}:
            return JobStatus.DONE
        return JobStatus.QUEUED if there == {TaskStatus.PENDING} else JobStatus.RUNNING

    def cancel(self) -> bool:
        """Cancel what has not ended; whether there was anything."""
        cancelled = [self._cancelled(handle) for handle in self._open()]  # all of them, whatever the first says
        return any(cancelled)

    def _cancelled(self, handle: TaskHandle) -> bool:
        try:
            handle.task = self._client.cancel(handle.task_id)
        except ClientError as error:
            if error.code != "task_ended":
                raise
            return False
        return True

    def _open(self) -> list[TaskHandle]:
        return [handle for handle in self.handles if handle.task is None or not handle.task.ended]


class KetlineJob(JobV1):  # type: ignore[misc]
    """Circuits that a backend runs; each is a task of its own."""

    def __init__(self, backend: Any, group: TaskGroup, read: Callable[[Sequence[Any]], Any]) -> None:
        super().__init__(backend, group.job_id)
        self._group = group
        self._read = read
        self._found: Any = None

    @property
    def task_ids(self) -> list[str]:
        """The tasks, in the order of the circuits."""
        return [str(handle.task_id) for handle in self._group.handles]

    def submit(self) -> None:
        """Nothing: a job is submitted when it is made."""

    def result(self, timeout: float | None = None) -> Any:
        """A `qiskit.result.Result` of all circuits.

        Raises:
            JobError: a circuit could not be run, or was cancelled.
        """
        if self._found is None:
            self._found = self._read(self._group.results(timeout))
        return self._found

    def status(self) -> JobStatus:
        return self._group.status()

    def cancel(self) -> bool:
        return self._group.cancel()


class KetlinePrimitiveJob(BasePrimitiveJob[Any, JobStatus]):  # type: ignore[misc]
    """PUBs that a primitive runs."""

    def __init__(self, group: TaskGroup, read: Callable[[Sequence[Any]], Any]) -> None:
        super().__init__(group.job_id)
        self._group = group
        self._read = read
        self._found: Any = None

    @property
    def task_ids(self) -> list[str]:
        """The tasks, in the order of the PUBs; as a rule one for each."""
        return [str(handle.task_id) for handle in self._group.handles]

    def result(self, timeout: float | None = None) -> Any:
        """A `PrimitiveResult`.

        Raises:
            JobError: a PUB could not be run, or was cancelled.
        """
        if self._found is None:
            self._found = self._read(self._group.results(timeout))
        return self._found

    def status(self) -> JobStatus:
        return self._group.status()

    def done(self) -> bool:
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        return self.status() is JobStatus.CANCELLED

    def in_final_state(self) -> bool:
        return self.status() in (JobStatus.DONE, JobStatus.CANCELLED, JobStatus.ERROR)

    def cancel(self) -> bool:
        return self._group.cancel()

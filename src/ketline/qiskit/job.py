"""Qiskit jobs: each consists of one or more tasks of a service."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import JobError, JobStatus, JobV1

from ketline.client import Client, ClientError, TaskHandle
from ketline.client.convert.qiskit import SerializedCircuit
from ketline.domain.task import TaskStatus

# A serialized circuit and the options of its task.
TaskRequest = tuple[SerializedCircuit, dict[str, Any]]


class TaskGroup:
    """The tasks of one job; they are one batch under one idempotency key, so retries store them once."""

    def __init__(self, client: Client, requests: Sequence[TaskRequest]) -> None:
        self.job_id = str(uuid4())
        self._client = client
        items = [
            {
                **options,
                "program": circuit.program,
                "program_format": circuit.program_format,
                "tags": ["qiskit", f"job-{self.job_id}"],
            }
            for circuit, options in requests
        ]
        self.handles: Sequence[TaskHandle] = self._submit(items)

    def _submit(self, items: Sequence[dict[str, Any]]) -> Sequence[TaskHandle]:
        if len(items) > 1:
            return self._client.submit_batch(items, idempotency_key=self.job_id)
        # A service publishes a single submission sooner than a batch.
        return [self._client.submit(idempotency_key=self.job_id, **item) for item in items]

    def results(self, timeout_seconds: float | None = None) -> list[Any]:
        """Wait until all tasks have ended, and return their results in the order of the requests.

        Raises:
            JobError: a task failed or was cancelled; the message has its id and the reason.
            ClientError: the service cannot be reached, or the tasks have not ended in time.
        """
        self._client.wait_for_all(self._unended(), timeout_seconds=timeout_seconds)
        return [self._result_of(number, handle) for number, handle in enumerate(self.handles)]

    def _result_of(self, number: int, handle: TaskHandle) -> Any:
        task = handle.wait()
        if task.result is not None:
            return task.result
        reason = f"{task.error.code}: {task.error.message}" if task.error else f"it was {task.status}"
        raise JobError(f"Task {handle.task_id}, number {number} of job {self.job_id}, has no result: {reason}")

    def status(self) -> JobStatus:
        """Read the tasks that have not ended, and combine the statuses of all."""
        for handle in self._unended():
            handle.refresh()
        statuses = {handle.task.status for handle in self.handles if handle.task is not None}
        if TaskStatus.FAILED in statuses:
            return JobStatus.ERROR
        if TaskStatus.CANCELLED in statuses:
            return JobStatus.CANCELLED
        if statuses <= {TaskStatus.COMPLETED}:
            return JobStatus.DONE
        return JobStatus.QUEUED if statuses == {TaskStatus.PENDING} else JobStatus.RUNNING

    def cancel(self) -> bool:
        """Cancel the tasks that have not ended; return whether any was cancelled."""
        cancelled = [
            self._cancel(handle) for handle in self._unended()
        ]  # a list, so that `any` does not stop at the first
        return any(cancelled)

    def _cancel(self, handle: TaskHandle) -> bool:
        try:
            handle.task = self._client.cancel(handle.task_id)
        except ClientError as error:
            if error.code != "task_ended":
                raise
            return False
        return True

    def _unended(self) -> list[TaskHandle]:
        return [handle for handle in self.handles if handle.task is None or not handle.task.ended]


class KetlineJob(JobV1):  # type: ignore[misc]
    """The job of `KetlineBackend.run`, with a task for each circuit or group of circuits."""

    def __init__(self, backend: Any, group: TaskGroup, convert: Callable[[Sequence[Any]], Any]) -> None:
        super().__init__(backend, group.job_id)
        self._group = group
        self._convert = convert
        self._result: Any = None

    @property
    def task_ids(self) -> list[str]:
        """The ids of the tasks, in the order of their first circuits."""
        return [str(handle.task_id) for handle in self._group.handles]

    def submit(self) -> None:
        """Do nothing, because the job is submitted when it is created."""

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the `qiskit.result.Result` of all circuits.

        Raises:
            JobError: the task of a circuit failed or was cancelled.
        """
        if self._result is None:
            self._result = self._convert(self._group.results(timeout))
        return self._result

    def status(self) -> JobStatus:
        return self._group.status()

    def cancel(self) -> bool:
        return self._group.cancel()


class KetlinePrimitiveJob(BasePrimitiveJob[Any, JobStatus]):  # type: ignore[misc]
    """The job of a primitive, usually with a task for each PUB or group of PUBs."""

    def __init__(self, group: TaskGroup, convert: Callable[[Sequence[Any]], Any]) -> None:
        super().__init__(group.job_id)
        self._group = group
        self._convert = convert
        self._result: Any = None

    @property
    def task_ids(self) -> list[str]:
        """The ids of the tasks, in the order of their first PUBs."""
        return [str(handle.task_id) for handle in self._group.handles]

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the `PrimitiveResult`.

        Raises:
            JobError: a task of a PUB failed or was cancelled.
        """
        if self._result is None:
            self._result = self._convert(self._group.results(timeout))
        return self._result

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

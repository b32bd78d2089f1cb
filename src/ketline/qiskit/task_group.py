"""The tasks of one job of Qiskit's."""

from collections.abc import Iterator, Sequence, Set
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from qiskit.exceptions import QiskitError
from qiskit.providers import JobError, JobStatus

from ketline.client import Client, ClientError, TaskHandle, TaskNotFound
from ketline.client.convert.qiskit import SerializedCircuit
from ketline.client.models import Task
from ketline.domain.limits import MAX_PAGE_TASKS
from ketline.domain.status import TaskStatus
from ketline.qiskit.results.runs import reason_of
from ketline.qiskit.results.stored_jobs import ENTRY

# A serialized circuit and the options of its task.
TaskRequest = tuple[SerializedCircuit, dict[str, Any]]

# The tags of all tasks of jobs, and of the first task of each job, by which jobs are listed.
TAG, FIRST_TAG = "qiskit", "qiskit-job"
JOB_TAG_PREFIX = "job-"


class TaskGroup:
    """The tasks of one job, in the order of its parts."""

    def __init__(
        self,
        client: Client,
        job_id: str,
        handles: Sequence[TaskHandle],
        *,
        name: str | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        self.job_id = job_id
        self.handles = handles
        self.name = name
        self.tags = tags
        self._client = client
        self._listed: dict[UUID, TaskStatus] = {}
        submitted = [handle.submitted_at for handle in handles if handle.submitted_at]
        self.created_at = min(submitted, default=datetime.now(UTC))

    def results(self, timeout_seconds: float | None = None) -> list[Any]:
        """Wait until all tasks have ended, and return their results in the order of the requests.

        Raises:
            JobError: a task failed or was cancelled; the message has its id and the reason.
            ClientError: the service cannot be reached, or the tasks have not ended in time.
        """
        tasks = self.ended(timeout_seconds)
        for number, (handle, task) in enumerate(zip(self.handles, tasks, strict=True)):
            if task is None or task.result is None:
                raise JobError(
                    f"Task {handle.task_id}, number {number} of job {self.job_id}, has no result: {reason_of(task)}"
                )
        return [task.result for task in tasks if task is not None]

    def ended(self, timeout_seconds: float | None = None) -> list[Task | None]:
        """Wait until all tasks have ended, and return them; None for one that was deleted.

        Raises:
            ClientError: the service cannot be reached, or the tasks have not ended in time.
        """
        self._client.wait_for_all(self._unended(), timeout_seconds=timeout_seconds)
        return [_ended(handle) for handle in self.handles]

    def status(self) -> JobStatus:
        """Read the statuses of tasks that have not ended, and combine all: an end only once all have ended."""
        unended = [handle for handle in self.handles if not self._status_of(handle).terminal]
        if len(unended) == 1:
            self._listed[unended[0].task_id] = unended[0].refresh().status
        elif unended:
            # One request for 200 tasks. Listed tasks have no results, so the handles do not keep them.
            listed = self._client.tasks(tag=f"{JOB_TAG_PREFIX}{self.job_id}", limit=MAX_PAGE_TASKS)
            found = {task.task_id: task.status for task in listed}
            # A task that was deleted has lost its result.
            self._listed |= {handle.task_id: found.get(handle.task_id, TaskStatus.FAILED) for handle in unended}
        return _combined({self._status_of(handle) for handle in self.handles})

    def _status_of(self, handle: TaskHandle) -> TaskStatus:
        if handle.task is not None and handle.task.ended:
            return handle.task.status
        return self._listed.get(handle.task_id, TaskStatus.PENDING)

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


class Plan(Protocol):
    """How the result of a job is made of those of its tasks."""

    def stored(self) -> list[dict[str, Any]]:
        """The metadata that each task stores of it."""


def submitted(client: Client, requests: Sequence[TaskRequest], plan: Plan, tags: Sequence[str] = ()) -> TaskGroup:
    """Submit the tasks of a new job; they are one batch under one idempotency key, so retries store them once.

    Raises:
        ClientError: the service rejected the tasks, or it is unknown whether it stored them.
    """
    job_id = str(uuid4())
    items = [
        {
            **options,
            "program": circuit.program,
            "program_format": circuit.program_format,
            "metadata": metadata,
            "tags": list(dict.fromkeys((*_tags_of(job_id, number), *tags))),
        }
        for number, ((circuit, options), metadata) in enumerate(zip(requests, plan.stored(), strict=True))
    ]
    if len(items) > 1:
        handles = client.submit_batch(items, idempotency_key=job_id)
    else:
        # A service publishes a single submission sooner than a batch.
        handles = [client.submit(idempotency_key=job_id, **item) for item in items]
    name = requests[0][1].get("name") if requests else None
    return TaskGroup(client, job_id, handles, name=name, tags=tags)


def stored(client: Client, job_id: str) -> tuple[TaskGroup, Sequence[Task]]:
    """The group of a job that another process submitted, and its tasks as listed, with their metadata.

    Raises:
        QiskitError: no task of such a job is stored.
        ClientError: the service cannot be reached.
    """
    listed = client.tasks(tag=[TAG, f"{JOB_TAG_PREFIX}{job_id}"], fields="metadata", limit=MAX_PAGE_TASKS)
    tasks = sorted(listed, key=lambda task: task.metadata.get(ENTRY, {}).get("task", 0))
    if not tasks:
        raise QiskitError(f"There is no job {job_id!r}.")
    handles = [TaskHandle(client, task.task_id, submitted_at=task.submitted_at) for task in tasks]
    own = (TAG, FIRST_TAG, f"{JOB_TAG_PREFIX}{job_id}")
    tags = [tag for tag in tasks[0].tags if tag not in own]
    return TaskGroup(client, job_id, handles, name=tasks[0].name, tags=tags), tasks


def job_ids(client: Client, tags: Sequence[str], **filters: Any) -> Iterator[str]:
    """The ids of stored jobs with these tags, by the filters of `Client.tasks`."""
    for task in client.tasks(tag=[FIRST_TAG, *tags], **filters):
        yield next(tag.removeprefix(JOB_TAG_PREFIX) for tag in task.tags if tag.startswith(JOB_TAG_PREFIX))


def _tags_of(job_id: str, number: int) -> list[str]:
    return [TAG, f"{JOB_TAG_PREFIX}{job_id}", *([] if number else [FIRST_TAG])]


def _combined(statuses: Set[TaskStatus]) -> JobStatus:
    if statuses == {TaskStatus.PENDING}:
        return JobStatus.QUEUED
    if not all(status.terminal for status in statuses):
        return JobStatus.RUNNING
    if TaskStatus.FAILED in statuses:
        return JobStatus.ERROR
    return JobStatus.CANCELLED if TaskStatus.CANCELLED in statuses else JobStatus.DONE


def _ended(handle: TaskHandle) -> Task | None:
    try:
        return handle.wait()
    except TaskNotFound:
        return None

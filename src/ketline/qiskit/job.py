"""Qiskit jobs: each consists of one or more tasks of a service."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import JobError, JobStatus, JobV1

from ketline.qiskit.results.differentiation import GRADIENT, Differentiation, read_differentiation
from ketline.qiskit.results.estimation import ESTIMATOR, Estimation, read_estimation
from ketline.qiskit.results.runs import RUN, Run, read_run, seconds_of
from ketline.qiskit.results.sampling import Sampling, read_sampling
from ketline.qiskit.results.stored_jobs import documents_of
from ketline.qiskit.task_group import TaskGroup, stored

_READERS: Mapping[str, Callable[[Sequence[Any]], Estimation | Differentiation]] = {
    ESTIMATOR: read_estimation,
    GRADIENT: read_differentiation,
}


class _JobOfTasks:
    """The common part of the jobs of the backend and of the primitives."""

    _group: TaskGroup

    @property
    def task_ids(self) -> list[str]:
        """The ids of the tasks, in the order of their first circuits or PUBs."""
        return [str(handle.task_id) for handle in self._group.handles]

    @property
    def creation_date(self) -> datetime:
        """When the first task was submitted, in UTC."""
        return self._group.created_at

    @property
    def name(self) -> str | None:
        """The option `name` of the job."""
        return self._group.name

    @property
    def tags(self) -> list[str]:
        """The option `tags` of the job."""
        return list(self._group.tags)

    def status(self) -> JobStatus:
        """The status of the job, from those of its tasks; a final one once all of them have ended."""
        return self._group.status()

    def cancel(self) -> bool:
        """Cancel the tasks that have not ended; return whether any was cancelled."""
        return self._group.cancel()


class KetlineJob(_JobOfTasks, JobV1):  # type: ignore[misc]
    """The job of `KetlineBackend.run`, with a task for each circuit or group of circuits."""

    def __init__(self, backend: Any, group: TaskGroup, run: Run) -> None:
        super().__init__(backend, group.job_id)
        self._group = group
        self._run = run
        self._result: Any = None

    def submit(self) -> None:
        """Do nothing, because the job is submitted when it is created."""

    def result(self, timeout: float | None = None, *, partial: bool = False) -> Any:
        """Wait for the `qiskit.result.Result` of all circuits.

        With `partial` circuits whose tasks have no result are part of it, without success: their counts raise an error
        that has the reason.

        Raises:
            JobError: the task of a circuit failed or was cancelled, and `partial` is not set.
            ClientError: the service cannot be reached, or the tasks have not ended in time.
        """
        if self._result is None:
            self._result = self._made(timeout)
        if not (self._result.success or partial):
            self._raise()
        return self._result

    def _made(self, timeout: float | None) -> Any:
        tasks = self._group.ended(timeout)
        known = [task for task in tasks if task is not None and task.completed_at is not None]
        first = min((task.submitted_at for task in known), default=self.creation_date)
        seconds = max(((task.submitted_at - first).total_seconds() + seconds_of(task) for task in known), default=0.0)
        backend = self.backend()
        return self._run.result(
            tasks,
            backend_name=backend.name,
            backend_version=backend.backend_version,
            job_id=self.job_id(),
            time_taken=seconds,
        )

    def _raise(self) -> None:
        try:
            self._group.results()
        except JobError as error:
            raise JobError(f"{error.message}. `result(partial=True)` has the results of the other circuits.") from None


class KetlinePrimitiveJob(_JobOfTasks, BasePrimitiveJob[Any, JobStatus]):  # type: ignore[misc]
    """The job of a primitive, usually with a task for each PUB or group of PUBs."""

    def __init__(self, group: TaskGroup, plan: Sampling | Estimation | Differentiation) -> None:
        super().__init__(group.job_id)
        self._group = group
        self._plan = plan
        self._result: Any = None

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the `PrimitiveResult`, or of a gradient for its `EstimatorGradientResult`.

        Raises:
            JobError: a task of a PUB failed or was cancelled.
        """
        if self._result is None:
            self._result = self._plan.result(self._group.results(timeout))
        return self._result

    def done(self) -> bool:
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        return self.status() is JobStatus.CANCELLED

    def in_final_state(self) -> bool:
        return self.status() in (JobStatus.DONE, JobStatus.CANCELLED, JobStatus.ERROR)


def stored_job(backend: Any, job_id: str) -> KetlineJob | KetlinePrimitiveJob:
    """The job with this id, of the backend or of a primitive, as its tasks store it.

    Raises:
        QiskitError: there is no such job, tasks of it were deleted, or they do not store what is needed.
    """
    group, tasks = stored(backend.client, job_id)
    kind, documents = documents_of(job_id, [task.metadata for task in tasks])
    if kind == RUN:
        run = read_run(documents)
        return KetlineJob(backend if run.device is None else backend.on_device(run.device), group, run)
    read = _READERS.get(kind, read_sampling)
    return KetlinePrimitiveJob(group, read(documents))

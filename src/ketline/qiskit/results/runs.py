"""A run of the backend: which circuits its tasks have, and how the tasks' results become the result of the circuits.

The tasks of a job store it in their metadata, from which another process reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.result import Result

from ketline.client.models import Task
from ketline.domain.tasks.seeds import point_seed
from ketline.qiskit.results.cells import stored_with
from ketline.qiskit.results.experiments import Experiment, Outcomes, experiment_result
from ketline.qiskit.results.stored_jobs import entry_of, experiments_as_json, experiments_of

# The kind of jobs of a backend, among those whose tasks store what their result is made of.
RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A task of a run: the circuits of its points, by index in the run. With `swept` the task has inputs."""

    members: Sequence[int]
    swept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The circuits of a run, and its tasks in order; circuits of no task neither measure nor save anything.

    `device` is the name of the device on which they run.
    """

    shots: int
    experiments: Sequence[Experiment]
    parts: Sequence[Part]
    device: str | None = None

    def result(self, tasks: Sequence[Task | None], **about: Any) -> Any:
        """The result of the circuits, from the tasks in order; a task that is None was deleted."""
        outcomes = [Outcomes() for _ in self.experiments]
        for part, task in zip(self.parts, tasks, strict=True):
            self._add(outcomes, part, task)
        for found in outcomes:
            found.shots = found.shots if found.counts and found.failure is None else self.shots
        success = not any(found.failure for found in outcomes)
        ended = [task.completed_at for task in tasks if task and task.completed_at]
        return Result(
            success=success,
            status="COMPLETED" if success else "PARTIAL COMPLETED",
            results=list(map(experiment_result, self.experiments, outcomes)),
            date=max(ended).isoformat() if ended else None,
            **about,
        )

    def _add(self, outcomes: Sequence[Outcomes], part: Part, task: Task | None) -> None:
        result = None if task is None else task.result
        for point, member in enumerate(part.members):
            found = outcomes[member]
            if task is None or result is None:
                found.failure = found.failure or reason_of(task)
                continue
            found.seconds += seconds_of(task)
            if result.saved:
                found.outputs = result.saved[point]
            if not result.points:
                continue  # it measures nothing, so there are no shots
            memory = None if result.memories is None else result.memories[point]
            found.add(result.points[point], memory, self.experiments[member].places())
            if not found.shots:
                found.seed = point_seed(result.seed, point) if part.swept and result.seed is not None else result.seed
            found.shots += result.shots

    def stored(self) -> list[dict[str, Any]]:
        """The metadata of each task; circuits that no task has are with the first one."""
        of_tasks = stored_with([part.members for part in self.parts], len(self.experiments))
        return [self._stored(number, members) for number, members in enumerate(of_tasks)]

    def _stored(self, number: int, members: Sequence[int]) -> dict[str, Any]:
        part = self.parts[number]
        shared = {"shots": self.shots, "members": list(part.members), "swept": part.swept}
        shared |= {} if self.device is None else {"device": self.device}
        documents = (
            {**shared, "experiments": experiments_as_json(self.experiments, members, with_metadata=with_metadata)}
            for with_metadata in (True, False)
        )
        return entry_of(RUN, number, len(self.parts), documents)


def read_run(documents: Sequence[Mapping[str, Any]]) -> Run:
    """The run of which the tasks of a job store these documents."""
    found = {index: one for each in documents for index, one in experiments_of(each["experiments"]).items()}
    return Run(
        shots=documents[0]["shots"],
        experiments=[found[index] for index in sorted(found)],
        parts=[Part(members=each["members"], swept=each["swept"]) for each in documents],
        device=documents[0].get("device"),
    )


def reason_of(task: Task | None) -> str:
    """Why a task has no result."""
    if task is None:
        return "its task was deleted"
    return f"{task.error.code}: {task.error.message}" if task.error else f"it was {task.status}"


def seconds_of(task: Task) -> float:
    """Seconds from the submission of a task to its end."""
    return (task.completed_at - task.submitted_at).total_seconds() if task.completed_at else 0.0

"""The repository as its port promises it: tasks and keys in dictionaries, on a clock that only `jump` moves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from uuid import UUID

from ketline.db.schema.visibility import key_in
from ketline.db.tasks.turns import START_SECONDS
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue, queue_of
from ketline.domain.tasks.submission import Submission
from tests.statemachine.task import Line, ModelTask

REDISPATCH_SECONDS = 1000.0
LEASE_SECONDS = 2000.0
KEY_SECONDS = 9000.0
LONG_OVERDUE_SECONDS = 3600.0
# The database's clock runs on between two steps: what the model calls equal may differ by as much, and no step is taken
# within twice as much of a moment that changes an answer.
DRIFT_SECONDS = 45.0


@dataclass(frozen=True)
class ModelKey:
    fingerprint: str
    task_id: UUID
    until: float


class KeyReused(Exception):
    """The key names another submission."""


@dataclass
class Model:
    now: float = 0.0
    tasks: dict[UUID, ModelTask] = field(default_factory=dict)
    keys: dict[str, ModelKey] = field(default_factory=dict)
    # What each project used lately of the slots of a queue, and the weights that are not 1.
    used: dict[tuple[TaskQueue, ProjectName], float] = field(default_factory=dict)
    weights: dict[ProjectName, float] = field(default_factory=dict)
    # Queues on which a message was just used for another task than its own: claims begin with the task in turn.
    shared: set[TaskQueue] = field(default_factory=set)
    # The tasks whose messages were used for others since a second passed, and before.
    lost: dict[TaskQueue, list[UUID]] = field(default_factory=dict)
    lost_earlier: dict[TaskQueue, list[UUID]] = field(default_factory=dict)

    def add(self, new: Submission, project: ProjectName = DEFAULT_PROJECT) -> tuple[UUID, bool]:
        """The task that was accepted, and whether an earlier submission made it."""
        if new.idempotency_key is not None:
            name, fingerprint = key_in(project, new.idempotency_key.key), new.idempotency_key.fingerprint
            bound = self.keys.get(name)
            if bound is None or bound.until <= self.now:
                self.keys[name] = ModelKey(fingerprint, new.task_id, self.now + KEY_SECONDS)
            elif bound.fingerprint != fingerprint:
                raise KeyReused
            elif bound.task_id != new.task_id:
                return bound.task_id, True
        if new.task_id not in self.tasks:
            start = self.now + _seconds_to(new.spec.scheduled_for)
            assert new.spec.max_attempts is not None  # the service fills it in
            task = ModelTask(new.task_id, new.spec.max_attempts, available_at=start, due_at=start)
            task.hold = task.held = new.spec.hold
            if task.held:
                task.available_at = task.due_at = inf
            task.queue, task.project = queue_of(new.spec), project
            task.scheduled = new.spec.scheduled_for is not None
            task.priority, task.submitted_at, task.came_at = new.spec.priority, self.now, start
            task.overtakes = new.spec.priority > 0
            task.lines.append(Line("pending", self.now))
            self.tasks[new.task_id] = task
        return new.task_id, False

    def due(self) -> list[ModelTask]:
        """Pending, due and never dispatched since they became pending."""
        return self._pending(lambda task: task.dispatches == 0 and self._is_due(task, 0))

    def overdue(self, by: float, queue: TaskQueue) -> list[ModelTask]:
        return self._pending(lambda task: task.dispatches > 0 and self._is_due(task, by) and task.queue == queue)

    def pending(self) -> list[ModelTask]:
        return self._pending(lambda task: True)

    def dispatched(self) -> list[ModelTask]:
        return self._pending(lambda task: task.dispatches > 0)

    def ready(self, queue: TaskQueue) -> list[ModelTask]:
        """Tasks that a message on this queue about another task may be taken for."""
        return [task for task in self.dispatched() if task.claimable(self.now) and task.queue == queue]

    def claimable_by(self, told_of: UUID, queue: TaskQueue) -> set[UUID | None]:
        """What a claim by a message on this queue about this task may take; None is nothing.

        It is one answer, but where ranks are so close that the clocks' drift decides.
        """
        task, ready = self.tasks.get(told_of), self.ready(queue)
        turns = self.turns(queue, ready)
        best = {found for project in turns for found in _first_of(_of(project, ready))} or {None}
        if task is None or task.queue != queue or not task.claimable(self.now) or task.priority < 0:
            return best
        if self.is_shared(queue) and ready:
            return best
        if turns and task.project not in turns:
            return best
        higher = [other.rank for other in _of(task.project, ready) if other.overtakes and other is not task]
        if any(rank < task.rank - DRIFT_SECONDS for rank in higher):
            return best
        own: set[UUID | None] = {told_of}
        sure = len(turns) < 2 and not any(rank < task.rank + DRIFT_SECONDS for rank in higher)
        return own if sure else own | best

    def is_shared(self, queue: TaskQueue) -> bool:
        """Whether a claim on this queue begins with the tasks in turn."""
        return queue in self.shared or bool(self.lost.get(queue)) or bool(self.lost_earlier.get(queue))

    def lose(self, queue: TaskQueue, task_id: UUID) -> None:
        """Note that the message of this task was used for another; it overtakes when a second has passed."""
        self.lost.setdefault(queue, []).append(task_id)

    def let_a_second_pass(self) -> None:
        self.shared.clear()
        for queue, task_ids in self.lost.items():
            self.lost_earlier.setdefault(queue, []).extend(task_ids)
        self.lost.clear()

    def let_overtake(self, queue: TaskQueue) -> None:
        """What a claim in turn does first."""
        for task_id in self.lost_earlier.pop(queue, []):
            task = self.tasks.get(task_id)
            if task is not None and task.queue == queue and task.claimable(self.now):
                task.overtakes = True

    def forget_claims(self) -> None:
        """What the end of a process does."""
        for remembered in (self.shared, self.lost, self.lost_earlier):
            remembered.clear()

    def turns(self, queue: TaskQueue, ready: Sequence[ModelTask]) -> set[ProjectName]:
        """The projects of these tasks that may have the next turn: one, but where drift decides."""
        use = {project: self._use(queue, project) for project in {task.project for task in ready}}
        least = min((latest for _, latest in use.values()), default=inf)
        return {project for project, (earliest, _) in use.items() if earliest <= least}

    def _use(self, queue: TaskQueue, project: ProjectName) -> tuple[float, float]:
        """The least and the most that a project can have used for its weight."""
        tasks = [task for task in self.tasks.values() if (task.queue, task.project) == (queue, project)]
        running = [START_SECONDS + self.now - task.claimed_at for task in tasks if task.status == "processing"]
        used, drift = self.used.get((queue, project), 0.0) + sum(running), DRIFT_SECONDS * len(running)
        weight = self.weights.get(project, 1.0)
        return (used - drift) / weight, (used + drift) / weight

    def claimable_short(self) -> set[UUID | None]:
        """What a claim of a task that is not known to be long may take."""
        ready = [task for task in self.ready(SIMULATIONS) if not task.is_long]
        # A project whose ready tasks are all long has a turn without effect; the next one follows.
        turns = self.turns(SIMULATIONS, ready)
        return {found for project in turns for found in _first_of(_of(project, ready))} or {None}

    def expired(self) -> list[ModelTask]:
        return [task for task in self.tasks.values() if task.lease_until is not None and task.lease_until < self.now]

    def expired_keys(self) -> set[str]:
        return {name for name, key in self.keys.items() if key.until <= self.now}

    def postpone(self, task_ids: Iterable[UUID], delay: float) -> None:
        for task in [self.tasks[task_id] for task_id in task_ids]:
            if task.status == "pending":
                task.due_at, task.dispatches = max(task.available_at, self.now + delay), 0

    def start_afresh(self) -> None:
        for task in self.tasks.values():
            if task.status == "processing":
                task.lease_until = self.now - 1
            elif task.status == "pending":
                task.due_at, task.dispatches = task.available_at, 0

    def jump(self, seconds: float) -> float:
        """Let time pass, a little more where it would stop close to a deadline; gives how much it was."""
        deadlines = list(self._deadlines())
        while any(abs(deadline - self.now - seconds) <= 2 * DRIFT_SECONDS for deadline in deadlines):
            seconds += 2 * DRIFT_SECONDS
        self.now += seconds
        return seconds

    def next_deadline(self) -> float | None:
        return min((deadline for deadline in self._deadlines() if self.now < deadline < inf), default=None)

    def _deadlines(self) -> Sequence[float]:
        times: list[float | None] = [key.until for key in self.keys.values()]
        for task in self.tasks.values():
            times += [task.lease_until, task.available_at, task.due_at]
            if task.due_at is not None:
                times.append(task.due_at + LONG_OVERDUE_SECONDS)
        return [time for time in times if time is not None]

    def _pending(self, which: Callable[[ModelTask], bool]) -> list[ModelTask]:
        return [task for task in self.tasks.values() if task.status == "pending" and which(task)]

    def _is_due(self, task: ModelTask, by: float) -> bool:
        return task.due_at is not None and task.due_at + by <= self.now


def _seconds_to(moment: datetime | None) -> float:
    """Seconds from now on, 0 for the past; for a submission that is being made, whose time is of the real clock."""
    return 0.0 if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _of(project: ProjectName, ready: Sequence[ModelTask]) -> Sequence[ModelTask]:
    return [task for task in ready if task.project == project]


def _first_of(ready: Sequence[ModelTask]) -> set[UUID | None]:
    lowest = min((task.rank for task in ready), default=0.0)
    return {task.task_id for task in ready if task.rank <= lowest + DRIFT_SECONDS} or {None}

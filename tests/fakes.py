"""Stand-ins for ports whose state a test sets by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from ketline.api.tasks.views import view_task
from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.claim import Dispatch
from ketline.domain.attempts.dead_letters import DeadLetter, DeadLetters
from ketline.domain.errors import (
    IdempotencyKeyReused,
    KetlineError,
    QuotaExceeded,
    TaskEnded,
    TaskNotFound,
    TaskNotHeld,
)
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.submission import Accepted, Submission
from ketline.domain.tasks.task import StatusChange, Task


class FakeTaskRepository:
    """`TaskSubmissions`, `TaskReader` and `DatabaseProbe` in memory; a test puts tasks of any status into `tasks`.

    It raises `error` from every call while that is set. What workers and upkeep do with tasks is tested on the SQL
    repository.
    """

    def within(self, project: ProjectName) -> Self:
        """The fake has the tasks of one project."""
        return self

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.taken: list[bool] = []
        self.limited: list[bool] = []
        self.actors: list[Actor] = []
        self.tasks: dict[TaskId, Task] = {}
        self.keys: dict[str, tuple[str, Accepted]] = {}
        self.error: Exception | None = None
        # Raised where the quotas are checked.
        self.rejection: QuotaExceeded | None = None
        self.failures = 0
        self.standings_asked = 0
        self.writes_checked = 0

    async def add(self, submission: Submission, *, taken: bool = False, limited: bool = False) -> Accepted:
        self._fail_if_told()
        self.limited.append(limited)
        if (key := submission.idempotency_key) is not None:
            known, accepted = self.keys.get(key.key, (None, None))
            if accepted is not None and known == key.fingerprint:
                return replace(accepted, repeated=True)
            if accepted is not None:
                raise IdempotencyKeyReused("the key names another submission")
        self.submissions.append(submission)
        self.taken.append(taken)
        now = datetime.now(UTC)
        created = StatusChange(
            line_id=1, status=TaskStatus.PENDING, transitioned_at=now, notes="Task created and queued"
        )
        self.tasks[submission.task_id] = Task(
            task_id=submission.task_id,
            shots=submission.spec.shots,
            status=TaskStatus.PENDING,
            submitted_at=now,
            correlation_id=submission.correlation_id,
            attempt=0,
            options=submission.spec.options,
            history=(created,),
            labels=submission.spec.labels,
            scheduled_for=submission.spec.scheduled_for,
            priority=submission.spec.priority,
            hold=submission.spec.hold,
            callback=submission.spec.callback,
            kind=submission.spec.kind,
            target=submission.spec.target,
            qir_profile=submission.spec.profile,
            bitcode=submission.spec.bitcode,
            backend=submission.spec.backend,
            inputs=submission.spec.inputs,
            time_limit_seconds=submission.spec.time_limit_seconds,
            max_attempts=submission.spec.max_attempts,
            rerun_of=submission.rerun_of,
            task_type=submission.task_type,
            wait_for_completion=submission.wait_for_completion,
        )
        accepted = Accepted(task_id=submission.task_id, submitted_at=now, correlation_id=submission.correlation_id)
        if key is not None:
            self.keys[key.key] = (key.fingerprint, accepted)
        return accepted

    async def require_room(self, submissions: Sequence[Submission]) -> None:
        self._fail_if_told()
        if self.rejection is not None:
            raise self.rejection

    async def add_all(self, submissions: Sequence[Submission], *, limited: bool = False) -> Sequence[Accepted]:
        return [await self.add(submission, limited=limited) for submission in submissions]

    async def get(self, task_id: TaskId, most_result_bytes: int | None = None) -> Task:
        self._fail_if_told()
        if task_id not in self.tasks:
            raise TaskNotFound(f"no task {task_id}")
        task = self.tasks[task_id]
        if most_result_bytes is None or view_task(task).result is None:
            return task
        size = len(await self.result_text(task_id))
        if size <= most_result_bytes:
            return task
        return replace(
            task,
            counts=None,
            memory=None,
            points=None,
            expectation_values=None,
            gradients=None,
            standard_errors=None,
            mitigation=None,
            omitted_result_bytes=size,
        )

    async def result_text(self, task_id: TaskId) -> str:
        result = view_task(await self.get(task_id)).result
        if result is None:
            raise TaskNotFound(f"no result of {task_id}")
        return str(result.model_dump_json(exclude_none=True))

    async def history(self, task_id: TaskId, after: int) -> Sequence[StatusChange]:
        return [line for line in (await self.get(task_id)).history if line.line_id > after]

    async def statuses(self, task_ids: Sequence[TaskId]) -> Mapping[TaskId, tuple[TaskStatus, int]]:
        self._fail_if_told()
        self.standings_asked += 1
        found = [self.tasks[task_id] for task_id in task_ids if task_id in self.tasks]
        return {task.task_id: (task.status, task.attempt) for task in found}

    def change(self, task_id: TaskId, status: TaskStatus) -> None:
        """Give a task this status and a line of history, as somebody else's commit would; nobody is told."""
        task = self.tasks[task_id]
        line = StatusChange(line_id=len(task.history) + 1, status=status, transitioned_at=datetime.now(UTC))
        attempt = task.attempt + (status is TaskStatus.PROCESSING)
        self.tasks[task_id] = replace(task, status=status, attempt=attempt, history=(*task.history, line))

    async def ping(self) -> None:
        self._fail_if_told()

    async def check_writable(self) -> None:
        self._fail_if_told()
        self.writes_checked += 1

    async def enqueue(self, task_id: TaskId) -> None:
        task = await self.get(task_id)
        if not task.hold:
            raise TaskNotHeld(f"task {task_id} is not held", status=task.status)
        if task.released_at is None and task.status.terminal:
            raise TaskEnded(f"task {task_id} is {task.status}", status=task.status)
        self.tasks[task_id] = replace(task, released_at=task.released_at or datetime.now(UTC))

    async def cancel(self, task_id: TaskId, actor: Actor) -> None:
        self.actors.append(actor)
        self._fail_if_told()
        task = await self.get(task_id)
        if task.status.terminal:
            raise TaskEnded(f"task {task_id} is {task.status}", status=task.status)
        self.tasks[task_id] = replace(task, status=TaskStatus.CANCELLED, completed_at=datetime.now(UTC))

    async def count_pending(self, limit: int) -> int:
        self._fail_if_told()
        pending = [task for task in self.tasks.values() if task.status is TaskStatus.PENDING]
        return min(limit, len(pending))

    def _fail_if_told(self) -> None:
        if self.error is not None:
            self.failures += 1
            raise self.error


class FakeOutbox:
    """An outbox that always has room, and keeps what it is given."""

    def __init__(self) -> None:
        self.dispatches: list[Dispatch] = []
        self.nudges = 0

    def has_room(self) -> bool:
        return True

    def put(self, dispatch: Dispatch) -> None:
        self.dispatches.append(dispatch)

    def nudge(self) -> None:
        self.nudges += 1


class FakeTaskPublisher:
    """Remembers what was published; raises `error` from every call while that is set."""

    def __init__(self) -> None:
        self.published: list[Dispatch] = []
        self.error: KetlineError | None = None

    async def publish(self, dispatch: Dispatch) -> None:
        self._fail_if_told()
        self.published.append(dispatch)

    async def depth(self, queue: TaskQueue = SIMULATIONS) -> int:
        self._fail_if_told()
        return len(self.published)

    async def ping(self) -> None:
        self._fail_if_told()

    def _fail_if_told(self) -> None:
        if self.error is not None:
            raise self.error


class FakeDeadLetterBox:
    """Holds `letters`; raises `error` from every call while that is set."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self.error: Exception | None = None
        self.looks = 0

    async def look(self, most: int) -> DeadLetters:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return DeadLetters(count=len(self.letters), oldest=self.letters[:most])

    async def requeue(self, most: int) -> int:
        if self.error is not None:
            raise self.error
        before = len(self.letters)
        self.letters = [letter for letter in self.letters if letter.task_id is None]
        return before - len(self.letters)

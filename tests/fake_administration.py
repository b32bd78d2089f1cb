"""What administrators use, in memory, for the ports of `claim_controls`, `interventions` and `storage`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ketline.domain.access.audit import Actor
from ketline.domain.attempts.claim_stops import ClaimStops, Drain, Pause, PauseScope
from ketline.domain.attempts.interventions import Requeued
from ketline.domain.errors import TaskNotFound, WorkerUnknown
from ketline.domain.ids import TaskId, WorkerId
from ketline.ports.operations.storage import StorageUse

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClaimControls:
    """Pauses by their scopes, and the drains of the workers that a test makes known; raises `error` while it is set."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.reads = 0
        self.stored: dict[PauseScope, Pause] = {}
        self.drains: dict[str, Drain] = {}
        self.held: set[str] = set()
        self.actors: list[Actor] = []

    async def pauses(self) -> Sequence[Pause]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return [self.stored[scope] for scope in sorted(self.stored)]

    async def pause(self, scope: PauseScope, reason: str | None, actor: Actor) -> None:
        self.actors.append(actor)
        known = self.stored.setdefault(scope, Pause(scope=scope, since=SINCE, reason=reason, owner=actor.owner))
        self.stored[scope] = replace(known, reason=reason or known.reason)

    async def resume(self, scope: PauseScope | None, actor: Actor) -> Sequence[PauseScope]:
        self.actors.append(actor)
        removed = [one for one in sorted(self.stored) if scope in (None, one)]
        for one in removed:
            del self.stored[one]
        return removed

    async def drain(self, worker_id: WorkerId, actor: Actor) -> Drain:
        return self._change(worker_id, SINCE)

    async def end_drain(self, worker_id: WorkerId, actor: Actor) -> Drain:
        return self._change(worker_id, None)

    async def drain_of(self, worker_id: WorkerId) -> Drain | None:
        return self.drains.get(worker_id)

    async def stops_of(self, worker_id: WorkerId, known: datetime | None) -> ClaimStops:
        if self.error is not None:
            raise self.error
        drain = self.drains.get(worker_id)
        since = known if drain is None else drain.draining_since
        drained = drain is not None and drain.drained_at is not None
        return ClaimStops(scopes=sorted(self.stored), draining_since=since, drained=drained)

    async def record_drained(self, worker_id: WorkerId) -> bool:
        if worker_id in self.held:
            return False
        self.drains[worker_id] = replace(self.drains[worker_id], drained_at=SINCE)
        return True

    def _change(self, worker_id: WorkerId, since: datetime | None) -> Drain:
        if worker_id not in self.drains:
            raise WorkerUnknown(f"No live worker has the id {worker_id!r}.")
        self.drains[worker_id] = Drain(worker_id=worker_id, draining_since=since)
        return self.drains[worker_id]


class FakeInterventions:
    """Remembers what was done to the tasks that a test makes known; `error` is raised instead of it."""

    def __init__(self) -> None:
        self.known: set[TaskId] = set()
        self.error: Exception | None = None
        self.requeued: list[tuple[TaskId, bool]] = []
        self.failed: list[tuple[TaskId, str]] = []

    async def requeue(self, task_id: TaskId, actor: Actor, *, force: bool = False) -> Requeued:
        self._require(task_id)
        self.requeued.append((task_id, force))
        return Requeued.TAKEN_BACK if force else Requeued.PUBLISHED

    async def lost(self, *, force: bool = False) -> Sequence[TaskId]:
        return sorted(self.known)

    async def fail(self, task_id: TaskId, reason: str, actor: Actor) -> None:
        self._require(task_id)
        self.failed.append((task_id, reason))

    def _require(self, task_id: TaskId) -> None:
        if self.error is not None:
            raise self.error
        if task_id not in self.known:
            raise TaskNotFound(f"Task {task_id} was not found; check the id.")


class FakeStorage:
    """A database that is half as large after each vacuum."""

    def __init__(self) -> None:
        self.total_bytes = 4096

    async def measure(self) -> StorageUse:
        return StorageUse(self.total_bytes, free_bytes=0)

    async def vacuum(self) -> None:
        self.total_bytes //= 2

"""Stops and permits the claims of workers, for operators; workers read which claims are stopped."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ketline.domain.access.audit import Actor
from ketline.domain.attempts.claim_stops import ClaimStops, Drain, Pause, PauseScope
from ketline.domain.ids import WorkerId


class ClaimControls(Protocol):
    """The pauses of queues and the drains of workers; times are the database's.

    Workers read them once a second; the claims themselves do not check them. Every method raises `DatabaseUnavailable`
    if the database cannot be read or written, and each change is recorded in the audit log in the same transaction.
    """

    async def pauses(self) -> Sequence[Pause]:
        """Return all pauses, ordered by scope."""
        ...

    async def pause(self, scope: PauseScope, reason: str | None, actor: Actor) -> None:
        """Store a pause; if there is one already, only its reason is replaced, if one is given."""
        ...

    async def resume(self, scope: PauseScope | None, actor: Actor) -> Sequence[PauseScope]:
        """Remove the pause of a scope, or all pauses, and return the scopes of the removed pauses."""
        ...

    async def drain(self, worker_id: WorkerId, actor: Actor) -> Drain:
        """Have a worker claim no further tasks until `end_drain` or its restart; does nothing if it already drains.

        Raises:
            WorkerUnknown: no live worker has this id.
        """
        ...

    async def end_drain(self, worker_id: WorkerId, actor: Actor) -> Drain:
        """Have a worker claim tasks again; does nothing if it is not being drained.

        Raises:
            WorkerUnknown: no live worker has this id.
        """
        ...

    async def drain_of(self, worker_id: WorkerId) -> Drain | None:
        """Return the state of the drain of a worker; None if no live worker has this id."""
        ...

    async def stops_of(self, worker_id: WorkerId, known: datetime | None) -> ClaimStops:
        """Return the pauses and the drain that stop the claims of a worker.

        For a worker that is not registered, because its heartbeats failed, the drain that began at `known` continues.
        """
        ...

    async def record_drained(self, worker_id: WorkerId) -> bool:
        """Record that a draining worker holds no task; False if it holds one, or is not draining."""
        ...

"""Stops and permits the claims of workers, for operators; workers read what is stopped."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ketline.domain.access.audit import Actor
from ketline.domain.attempts.claim_stops import ClaimStops, Drain, Pause, PauseScope
from ketline.domain.ids import WorkerId


class ClaimControls(Protocol):
    """The pauses of queues and the drains of workers; times are the database's.

    Claims do not look at them: workers do, once a second. Every method raises `DatabaseUnavailable` if the database
    cannot be read or written, and each change is recorded in the audit log in the same transaction.
    """

    async def pauses(self) -> Sequence[Pause]:
        """Return all pauses, ordered by scope."""
        ...

    async def pause(self, scope: PauseScope, reason: str | None, actor: Actor) -> None:
        """Store a pause; of one that is stored already only the reason is replaced, if one is given."""
        ...

    async def resume(self, scope: PauseScope | None, actor: Actor) -> Sequence[PauseScope]:
        """Remove the pause of a scope, or all of them, and return the scopes of those that were removed."""
        ...

    async def drain(self, worker_id: WorkerId, actor: Actor) -> Drain:
        """Have a worker claim no further tasks until `end_drain`, or until it starts anew; does nothing if it does so.

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
        """Return what stops the claims of a worker.

        A worker that is not registered, because its heartbeats failed, is being drained since `known`.
        """
        ...

    async def record_drained(self, worker_id: WorkerId) -> bool:
        """Record that a worker which is being drained holds no task; False if it does hold one, or is not drained."""
        ...

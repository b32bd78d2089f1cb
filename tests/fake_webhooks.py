"""Deliveries and signing secrets in memory, for `ports.webhooks`; the SQL stores have contract tests of their own."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.errors import DeliveryNotFound, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.deliveries import (
    Attempt,
    AttemptLimits,
    ClaimedDelivery,
    Delivery,
    DeliveryId,
    DeliveryPage,
    DeliveryState,
    SigningSecret,
    new_secret,
)


class FakeDeliveryLog:
    """The deliveries that a test puts into `known`, and the tasks without one of `tasks`."""

    def __init__(self) -> None:
        self.known: list[Delivery] = []
        self.tasks: set[TaskId] = set()

    def within(self, project: ProjectName) -> Self:
        """The fake has the deliveries of one project."""
        return self

    async def of_task(self, task_id: TaskId) -> Sequence[Delivery]:
        found = [delivery for delivery in self.known if delivery.task_id == task_id]
        if not found and task_id not in self.tasks:
            raise TaskNotFound(f"Task {task_id} was not found.")
        return found

    async def find(self, state: DeliveryState | None, before: DeliveryId | None, limit: int) -> DeliveryPage:
        found = [delivery for delivery in self.known[::-1] if state in (None, delivery.state)]
        ids = [delivery.delivery_id for delivery in found]
        found = found if before is None else found[ids.index(before) + 1 :]
        return DeliveryPage(deliveries=found[:limit], next=found[limit - 1].delivery_id if len(found) > limit else None)

    async def repeat(self, task_id: TaskId) -> Delivery:
        for number, delivery in enumerate(self.known):
            if delivery.task_id == task_id:
                self.known[number] = replace(delivery, state=DeliveryState.WAITING, ended_at=None)
                return self.known[number]
        raise DeliveryNotFound(f"There is no delivery of a task {task_id}.")

    async def repeat_dead(self, limit: int) -> int:
        dead = [delivery for delivery in self.known if delivery.state is DeliveryState.DEAD][:limit]
        for delivery in dead:
            await self.repeat(delivery.task_id)
        return len(dead)


class FakeDeliveryQueue:
    """Gives the deliveries of `waiting`, and records what becomes of them; `error` is raised by each record of it.

    `to_make` and `batches` are the numbers of deliveries that are made and deleted.
    """

    def __init__(self, *waiting: ClaimedDelivery) -> None:
        self.waiting = list(waiting)
        self.to_make: list[int] = []
        self.makes = 0
        self.corrections = 0
        self.claims: list[tuple[int, timedelta, Sequence[ClaimedDelivery], AttemptLimits]] = []
        self.recorded: list[tuple[int, Attempt, timedelta | None]] = []
        self.state: DeliveryState | None = DeliveryState.WAITING
        self.error: Exception | None = None
        self.batches: list[int] = []
        self.deletions: list[tuple[timedelta, int]] = []
        self._changed = asyncio.Event()

    async def make(self, limit: int) -> int:
        self.makes += 1
        return self.to_make.pop(0) if self.to_make else 0

    async def claim(
        self, limit: int, lease: timedelta, in_progress: Sequence[ClaimedDelivery], most: AttemptLimits
    ) -> Sequence[ClaimedDelivery]:
        self.claims.append((limit, lease, in_progress, most))
        claimed, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return claimed

    async def delivered(self, claimed: ClaimedDelivery, attempt: Attempt) -> None:
        self._record(claimed, attempt, None)

    async def failed(self, claimed: ClaimedDelivery, attempt: Attempt, pause: timedelta) -> DeliveryState | None:
        self._record(claimed, attempt, pause)
        return self.state

    async def correct_times(self) -> int:
        self.corrections += 1
        return self.corrections

    async def delete_ended(self, age: timedelta, limit: int) -> int:
        self.deletions.append((age, limit))
        return self.batches.pop(0) if self.batches else 0

    async def after(self, number: int) -> None:
        """Return once so many outcomes are recorded."""
        async with asyncio.timeout(30):
            while len(self.recorded) < number:
                self._changed.clear()
                await self._changed.wait()

    def _record(self, claimed: ClaimedDelivery, attempt: Attempt, pause: timedelta | None) -> None:
        self.recorded.append((claimed.delivery_id.int, attempt, pause))
        self._changed.set()
        if self.error is not None:
            raise self.error


class FakeSecretStore:
    """One secret for each project."""

    def __init__(self) -> None:
        self.known: dict[ProjectName, SigningSecret] = {}
        self.actors: list[Actor] = []

    async def get(self, project: ProjectName) -> SigningSecret:
        made = SigningSecret(project=project, secret=new_secret(), created_at=datetime.now(UTC))
        return self.known.setdefault(project, made)

    async def rotate(self, project: ProjectName, secret: str, overlap: timedelta, actor: Actor) -> SigningSecret:
        self.actors.append(actor)
        old, now = await self.get(project), datetime.now(UTC)
        self.known[project] = SigningSecret(
            project=project, secret=secret, created_at=now, previous=old.secret, previous_until=now + overlap
        )
        return self.known[project]

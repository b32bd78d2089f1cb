"""The deliveries of messages on a database: for the processes that attempt them, and for the members of a project."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    case,
    delete,
    func,
    literal,
    select,
    true,
    update,
)

from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import deliveries, tasks
from ketline.db.schema.visibility import is_of
from ketline.db.webhooks.claims import Room, choose, claim_chosen, is_due
from ketline.db.webhooks.messages import IS_DUE, make_deliveries
from ketline.db.webhooks.pages import SHOWN, is_in, select_page
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.errors import DeliveryNotFound, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.deliveries import (
    MAX_DELIVERY_TIME,
    Attempt,
    AttemptLimits,
    ClaimedDelivery,
    Delivery,
    DeliveryId,
    DeliveryPage,
    DeliveryState,
)


@dataclass(frozen=True, slots=True)
class SqlDeliveryQueue:
    """The `DeliveryQueue` on a database."""

    database: Database

    async def make(self, limit: int) -> int:
        if not await self._is_any(IS_DUE):
            return 0
        return await self.database.write(lambda connection: make_deliveries(connection, limit))

    async def claim(
        self, limit: int, lease: timedelta, in_progress: Sequence[ClaimedDelivery], most: AttemptLimits
    ) -> Sequence[ClaimedDelivery]:
        if not await self._is_any(is_due(Room(in_progress, most).occupied())):
            return []

        def work(connection: Connection) -> Sequence[ClaimedDelivery]:
            chosen = choose(connection, limit, Room(in_progress, most))
            return claim_chosen(connection, chosen, lease) if chosen else []

        return await self.database.write(work)

    async def delivered(self, claimed: ClaimedDelivery, attempt: Attempt) -> None:
        ended = _of(claimed).values(
            state=DeliveryState.DELIVERED.value,
            last_status=attempt.status,
            last_error=None,
            next_at=None,
            ended_at=now(),
        )
        await self.database.write(lambda connection: connection.execute(ended))

    async def failed(self, claimed: ClaimedDelivery, attempt: Attempt, pause: timedelta) -> DeliveryState | None:
        statement = _fail(claimed, attempt, pause)
        row = await self.database.write(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else DeliveryState(row.state)

    async def correct_times(self) -> int:
        # It was stored, or attempted last, at a time that is still to come.
        last = func.coalesce(deliveries.c.last_attempt_at, deliveries.c.created_at)
        late = and_(deliveries.c.next_at > now(), last > now())  # guard: delivery.clock
        corrected = update(deliveries).where(late).values(next_at=now())
        return await self.database.write(lambda connection: connection.execute(corrected).rowcount)

    async def delete_ended(self, age: timedelta, limit: int) -> int:
        old = deliveries.c.ended_at < from_now(-age.total_seconds())
        some = select(deliveries.c.delivery_id).where(old).order_by(deliveries.c.ended_at).limit(limit)
        statement = delete(deliveries).where(deliveries.c.delivery_id.in_(some))
        return await self.database.write(lambda connection: connection.execute(statement).rowcount)

    async def _is_any(self, which: ColumnElement[bool]) -> bool:
        """Whether there is a row: one round trip, after which there is nearly always nothing to do."""
        some = select(literal(1)).where(which).limit(1)
        return await self.database.read(lambda connection: connection.execute(some).one_or_none()) is not None


@dataclass(frozen=True, slots=True)
class SqlDeliveryLog:
    """The `DeliveryLog` on a database."""

    database: Database
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        return replace(self, project=project)

    async def of_task(self, task_id: TaskId) -> Sequence[Delivery]:
        found = select(*SHOWN).where(deliveries.c.task_id == task_id, is_of(self.project, deliveries))
        known = select(tasks.c.task_id).where(tasks.c.task_id == task_id, is_of(self.project))

        def work(connection: Connection) -> Sequence[Row[Any]]:
            rows = connection.execute(found).all()
            if not rows and connection.execute(known).one_or_none() is None:
                raise TaskNotFound(f"Task {task_id} was not found; check the id.")
            return rows

        return [_to_delivery(row) for row in await self.database.read(work)]

    async def find(self, state: DeliveryState | None, before: DeliveryId | None, limit: int) -> DeliveryPage:
        states = list(DeliveryState) if state is None else [state]
        newest = select_page(self.project, states, before, limit + 1)
        rows = await self.database.read(lambda connection: connection.execute(newest).all())
        found = [_to_delivery(row) for row in rows[:limit]]
        return DeliveryPage(deliveries=found, next=found[-1].delivery_id if len(rows) > limit else None)

    async def repeat(self, task_id: TaskId) -> Delivery:
        statement = _repeat(deliveries.c.task_id == task_id, is_of(self.project, deliveries)).returning(*SHOWN)
        row = await self.database.write(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            raise DeliveryNotFound(
                f"There is no delivery of a task {task_id}: it has no callback, or it has not ended."
            )
        return _to_delivery(row)

    async def repeat_dead(self, limit: int) -> int:
        dead = is_in(self.project, DeliveryState.DEAD)
        some = select(deliveries.c.delivery_id).where(dead).order_by(deliveries.c.created_at).limit(limit)
        statement = _repeat(deliveries.c.delivery_id.in_(some), deliveries.c.state == DeliveryState.DEAD.value)
        return await self.database.write(lambda connection: connection.execute(statement).rowcount)


def _of(claimed: ClaimedDelivery) -> Update:
    waits = deliveries.c.state == DeliveryState.WAITING.value
    return update(deliveries).where(deliveries.c.delivery_id == claimed.delivery_id, waits)


def _fail(claimed: ClaimedDelivery, attempt: Attempt, pause: timedelta) -> Any:
    over = true() if attempt.gone else deliveries.c.give_up_at <= now()
    again = from_now(pause.total_seconds())
    last = case((again > deliveries.c.give_up_at, deliveries.c.give_up_at), else_=again)
    return (
        _of(claimed)
        .where(deliveries.c.attempts == claimed.attempt)  # guard: delivery.fence
        .values(
            state=case((over, DeliveryState.DEAD.value), else_=DeliveryState.WAITING.value),
            next_at=case((over, None), else_=last),
            ended_at=case((over, now()), else_=None),
            last_status=attempt.status,
            last_error=attempt.error,
        )
        .returning(deliveries.c.state)
    )


def _repeat(*which: ColumnElement[bool]) -> Update:
    return (
        update(deliveries)
        .where(*which)
        .values(
            state=DeliveryState.WAITING.value,
            next_at=now(),
            ended_at=None,
            give_up_at=from_now(MAX_DELIVERY_TIME.total_seconds()),
        )
    )


def _to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(row.delivery_id),
        task_id=TaskId(row.task_id),
        project=ProjectName(row.project),
        event=row.event,
        url=row.url,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        created_at=row.created_at,
        next_at=row.next_at,
        last_attempt_at=row.last_attempt_at,
        last_status=row.last_status,
        last_error=row.last_error,
        ended_at=row.ended_at,
    )

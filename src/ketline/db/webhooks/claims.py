"""Chooses deliveries to attempt so that no host and no project takes all attempts; `deliveries.py` claims by it."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select, true, update

from ketline.db.engine.clock import from_now, now
from ketline.db.schema.tables import deliveries
from ketline.db.webhooks.secrets import valid_secrets
from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.deliveries import AttemptLimits, ClaimedDelivery, DeliveryId

# Of each that is claimed, so many are examined: some are for hosts that have enough.
_CANDIDATES = 4

Occupied = tuple[Sequence[str], Sequence[str]]


class Room:
    """How many more attempts hosts and projects may have beside those that are in progress."""

    def __init__(self, in_progress: Sequence[ClaimedDelivery], most: AttemptLimits) -> None:
        self._hosts = Counter(one.host for one in in_progress)
        self._projects = Counter(str(one.project) for one in in_progress)
        self._most = most

    def occupied(self) -> Occupied:
        """The hosts and the projects that have no room."""
        return _reached(self._hosts, self._most.host), _reached(self._projects, self._most.project)

    def takes(self, row: Row[Any]) -> bool:
        """Whether there is room for a delivery, which then takes it."""
        fits = self._hosts[row.host] < self._most.host and self._projects[row.project] < self._most.project
        if fits:
            self._hosts[row.host] += 1
            self._projects[row.project] += 1
        return fits


def choose(connection: Connection, limit: int, room: Room) -> Sequence[UUID]:
    """Locks up to `limit` deliveries that are due and for which there is room, those due longest first."""
    chosen: list[UUID] = []
    while len(chosen) < limit:
        number = limit * _CANDIDATES
        found = connection.execute(select_attempts(number, room.occupied(), chosen)).all()
        fitting = [row.delivery_id for row in found if room.takes(row)][: limit - len(chosen)]
        chosen += fitting
        # If more are due than were examined, those without room are left out the next time.
        if not fitting or len(found) < number:
            break
    return chosen


def select_attempts(limit: int, occupied: Occupied, chosen: Sequence[UUID] = ()) -> Select[Any]:
    """Selects and locks deliveries that are due and not chosen yet, but for those that are locked already.

    Those to hosts and of projects that are occupied are left out.
    """
    others = deliveries.c.delivery_id.not_in(chosen) if chosen else true()
    due = select(deliveries.c.delivery_id, deliveries.c.host, deliveries.c.project).where(is_due(occupied), others)
    return due.order_by(deliveries.c.next_at).limit(limit).with_for_update(skip_locked=True)


def is_due(occupied: Occupied) -> ColumnElement[bool]:
    """Whether a delivery may be attempted now, unless its host or its project is occupied."""
    hosts, projects = occupied
    elsewhere = deliveries.c.host.not_in(hosts) if hosts else true()
    of_others = deliveries.c.project.not_in(projects) if projects else true()  # guard: delivery.project
    return and_(deliveries.c.next_at <= now(), elsewhere, of_others)


def claim_chosen(connection: Connection, chosen: Sequence[UUID], lease: timedelta) -> list[ClaimedDelivery]:
    """Claims deliveries that `choose` has locked, with the secrets to sign them."""
    statement = (
        update(deliveries)
        .where(deliveries.c.delivery_id.in_(chosen))
        .values(
            attempts=deliveries.c.attempts + 1,
            last_attempt_at=now(),
            next_at=from_now(lease.total_seconds()),  # guard: delivery.lease
        )
        .returning(deliveries)
    )
    rows = connection.execute(statement).all()
    secrets = valid_secrets(connection, {ProjectName(row.project) for row in rows})
    return [
        ClaimedDelivery(
            delivery_id=DeliveryId(row.delivery_id),
            task_id=TaskId(row.task_id),
            project=ProjectName(row.project),
            url=row.url,
            host=row.host,
            body=row.body,
            attempt=row.attempts,
            secrets=secrets[ProjectName(row.project)],
        )
        for row in rows
    ]


def _reached(counts: Counter[str], most: int) -> Sequence[str]:
    return sorted(name for name, count in counts.items() if count >= most)

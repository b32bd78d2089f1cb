"""Stores tasks of a project that has quotas: in one transaction it locks the project, counts, and inserts.

The repository calls it. The lock makes submissions of all processes wait for each other, so that none of them counts
before another has inserted; SQLite has one writer anyway. Deletions of tasks call it too, so that their seconds count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, select, true

from ketline.db.engine.clock import now
from ketline.db.engine.dialect import dialect_of
from ketline.db.engine.planner_hints import checked, has_value
from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.quotas import to_quotas
from ketline.db.schema.statuses import ENDED, has_status
from ketline.db.schema.tables import projects, quota_usage, status_history, tasks
from ketline.db.schema.visibility import all_of
from ketline.db.tasks.submissions import InsertRequest, find_accepted, find_stored, store_all
from ketline.domain.access.principals import Owner, ProjectName
from ketline.domain.access.quotas import COUNTED, DAILY, UNLIMITED, ProjectQuotas, Quota, Quotas, Scope
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.quota_checks import require_permitted, require_room, shots_of, start_of_day
from ketline.domain.tasks.submission import Accepted

# An attempt that ended longer ago is committed: transactions are bounded in time, and by far shorter.
SETTLED_AFTER = timedelta(seconds=60)
_WHOLE_PROJECT = Owner("")


def store_limited(
    connection: Connection, requests: Sequence[InsertRequest], defaults: ProjectQuotas = UNLIMITED
) -> list[Accepted]:
    """Inserts tasks of one project if its quotas permit all of them; gives the earlier task for each repeat.

    A repeat is never rejected, and uses nothing. The `defaults` apply where the project has no quotas of its own.

    Raises:
        QuotaExceeded: a quota does not permit them, now or at any time.
        IdempotencyKeyReused: a key names another submission.
    """
    project = requests[0].project
    locked = _locked(connection, project, create=bool(defaults))
    earlier = find_stored(connection, requests)  # guard: quota.repeat
    new = [request for request, found in zip(requests, earlier, strict=True) if found is None]
    if locked is not None and new:
        _take(connection, project, to_quotas(locked.quotas).completed(defaults), locked.at, new)
    stored = iter(store_all(connection, new))
    return [found or next(stored) for found in earlier]


def check_limited(
    connection: Connection, requests: Sequence[InsertRequest], defaults: ProjectQuotas = UNLIMITED
) -> None:
    """Checks as `store_limited` does, but without the lock, and writes nothing."""
    project = requests[0].project
    keyed = ((request, request.submission.idempotency_key) for request in requests)
    new = [request for request, key in keyed if key is None or find_accepted(connection, project, key) is None]
    row = connection.execute(_select_project(project)).one_or_none()
    quotas = to_quotas(None if row is None else row.quotas).completed(defaults)
    at: datetime = connection.execute(select(now())).scalar_one()
    if new:
        _checked(connection, project, quotas, at, new)


def count_deleted(connection: Connection, task_ids: Sequence[UUID]) -> None:
    """Counts the seconds of ended tasks as used today, if they are not yet; the transaction deletes these tasks next.

    It locks the projects of those that ended today, before any row that a submission may wait for under that lock.
    """
    at = connection.execute(select(now())).scalar_one()
    rows = connection.execute(_select_seconds_of(task_ids, start_of_day(at))).all()
    for project in sorted({row.project for row in rows}):
        locked = _locked(connection, project, create=False)
        if locked is None:
            continue
        some = [row for row in rows if row.project == project]
        for owner in sorted({row.owner or _WHOLE_PROJECT for row in some} | {_WHOLE_PROJECT}):
            holder = _Holder(connection, project, owner, locked.at)
            holder.add([row for row in some if owner in (_WHOLE_PROJECT, row.owner)])


def _select_seconds_of(task_ids: Sequence[UUID], since: datetime) -> Select[Any]:
    """Selects the seconds of each task that ended since then, in projects in which a quota of a day was counted."""
    counted = select(quota_usage.c.project).where(quota_usage.c.project == tasks.c.project).exists()
    columns = (tasks.c.project, tasks.c.owner, tasks.c.completed_at)
    return (
        select(*columns, func.coalesce(func.sum(status_history.c.duration_seconds), 0.0).label("seconds"))
        .join_from(tasks, status_history, status_history.c.task_id == tasks.c.task_id)
        .where(tasks.c.task_id.in_(task_ids), tasks.c.kind != TaskKind.RUN.value)
        .where(has_status(ENDED), tasks.c.completed_at >= _time(since), counted)
        .group_by(tasks.c.task_id, *columns)
    )


def _locked(connection: Connection, project: ProjectName, *, create: bool) -> Row[Any] | None:
    """The row of a project, which stays locked; with `create` it is stored if there is none.

    Members of an issuer's groups may submit to a project that nobody created.
    """
    row = connection.execute(_lock(project)).one_or_none()
    if row is None and create:  # guard: quota.project
        new = dialect_of(connection).insert(projects).values(name=project, created_at=now())
        connection.execute(new.on_conflict_do_nothing())
        row = connection.execute(_lock(project)).one()
    return row


def _lock(project: ProjectName) -> Select[Any]:
    # FOR NO KEY UPDATE, because a key may be created for the project meanwhile.
    return _select_project(project).with_for_update(key_share=True)  # guard: quota.lock


def _select_project(project: ProjectName) -> Select[Any]:
    return select(projects.c.quotas, now().label("at")).where(projects.c.name == project)


def _take(
    connection: Connection,
    project: ProjectName,
    quotas: ProjectQuotas,
    at: datetime,
    requests: Sequence[InsertRequest],
) -> None:
    """Checks each quota of the project and of the owners of the tasks, and counts their shots as used."""
    for holder, day in _checked(connection, project, quotas, at, requests):
        holder.save(day)


def _checked(
    connection: Connection,
    project: ProjectName,
    quotas: ProjectQuotas,
    at: datetime,
    requests: Sequence[InsertRequest],
) -> "Sequence[tuple[_Holder, _Day]]":
    """Checks each quota, and gives what each holder has used then of those of a day."""
    used_then: list[tuple[_Holder, _Day]] = []
    for scope, owner, some in _shares(requests):
        limits = quotas.project if scope is Scope.PROJECT else quotas.owner
        if not limits:
            continue
        specs = [request.submission.spec for request in some]
        for spec in specs:
            require_permitted(spec, limits, scope)
        holder = _Holder(connection, project, owner, at)
        used: dict[Quota, float] = {**holder.counted(limits)}
        if limits.keys() & DAILY:
            day = holder.day(seconds=Quota.SECONDS_PER_DAY in limits)
            used |= {Quota.SHOTS_PER_DAY: day.shots, Quota.SECONDS_PER_DAY: day.seconds + day.recent_seconds}
        require_room(specs, limits, used, scope, at)
        if limits.keys() & DAILY:
            used_then.append((holder, replace(day, shots=day.shots + sum(map(shots_of, specs)))))
    return used_then


def _shares(requests: Sequence[InsertRequest]) -> Iterator[tuple[Scope, Owner, Sequence[InsertRequest]]]:
    yield Scope.PROJECT, _WHOLE_PROJECT, requests
    for owner in sorted({request.submission.owner or _WHOLE_PROJECT for request in requests} - {_WHOLE_PROJECT}):
        yield Scope.OWNER, owner, [request for request in requests if request.submission.owner == owner]


@dataclass(frozen=True, slots=True)
class _Day:
    """The use of quotas since the start of the day; `seconds` are those counted before `counted_until`.

    They include those of tasks that ended later and were deleted.
    """

    shots: int
    seconds: float
    counted_until: datetime
    recent_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Holder:
    """A project as a whole, or an owner in it, and what they use at the time `at`."""

    connection: Connection
    project: ProjectName
    owner: Owner
    at: datetime

    def counted(self, limits: Quotas) -> dict[Quota, float]:
        """Counts tasks, up to the limit."""
        if not limits.keys() & COUNTED:
            return {}
        most = int(max(limits[quota] for quota in COUNTED & limits.keys()))
        waiting = self._count(has_status([TaskStatus.PENDING]), self._found(), most)
        running = 0
        if Quota.ACTIVE in limits:
            # Few tasks run, so they are found by their status.
            running = self._count(has_status([TaskStatus.PROCESSING]), self._checked(), most)
        return {Quota.WAITING: waiting, Quota.ACTIVE: waiting + running}

    def day(self, *, seconds: bool) -> _Day:
        """The use of quotas today; `seconds` only if they are requested."""
        start = start_of_day(self.at)
        where = (quota_usage.c.project == self.project, quota_usage.c.owner == self.owner)
        row = self.connection.execute(select(quota_usage).where(*where)).one_or_none()
        if row is None:
            day = _Day(shots=0, seconds=0.0, counted_until=self.at)
        elif row.day < start:
            day = _Day(shots=0, seconds=0.0, counted_until=start)
        else:
            day = _Day(shots=row.shots, seconds=row.seconds, counted_until=row.counted_until)
        return self._with_seconds(day) if seconds else day

    def save(self, day: _Day) -> None:
        key = {"project": self.project, "owner": self.owner}
        values = {
            "day": start_of_day(self.at),
            "shots": day.shots,
            "seconds": day.seconds,
            "counted_until": day.counted_until,
        }
        into = dialect_of(self.connection).insert(quota_usage).values(**key, **values)
        self.connection.execute(into.on_conflict_do_update(index_elements=list(key), set_=values))

    def add(self, deleted: Sequence[Row[Any]]) -> None:
        """Adds the seconds of tasks that are being deleted; those that ended before the last count are in it."""
        day = self.day(seconds=False)
        seconds = sum(row.seconds for row in deleted if row.completed_at > day.counted_until)  # guard: quota.settled
        if seconds:
            self.save(replace(day, seconds=day.seconds + seconds))

    def _with_seconds(self, day: _Day) -> _Day:
        """Adds what ended since the last count: what is settled for good, and the rest for this time only."""
        settled = max(self.at - SETTLED_AFTER, day.counted_until)
        ended = self._seconds(day.counted_until, settled)
        return _Day(
            shots=day.shots,
            seconds=day.seconds + ended,
            counted_until=settled,
            recent_seconds=self._seconds(settled, self.at + SETTLED_AFTER),
        )

    def _seconds(self, after: datetime, until: datetime) -> float:
        """The duration of all attempts of the tasks that ended in this time; jobs on backends do not count."""
        if after >= until:
            return 0.0
        ended = (tasks.c.completed_at > _time(after), tasks.c.completed_at <= _time(until))
        statement = (
            select(func.coalesce(func.sum(status_history.c.duration_seconds), 0.0))
            .join_from(tasks, status_history, status_history.c.task_id == tasks.c.task_id)
            .where(all_of(self.project), has_status(ENDED), *ended, checked(tasks.c.kind != TaskKind.RUN.value))
            .where(self._of_owner())
        )
        return float(self.connection.execute(statement).scalar_one())

    def _count(self, status: ColumnElement[bool], whose: ColumnElement[bool], most: int) -> int:
        some = select(tasks.c.task_id).where(status, whose).limit(most).subquery()
        counted: int = self.connection.execute(select(func.count()).select_from(some)).scalar_one()
        return counted

    def _found(self) -> ColumnElement[bool]:
        """The tasks of the holder, found by an index that begins with the project."""
        if self.owner == _WHOLE_PROJECT:
            return all_of(self.project)
        return all_of(self.project) & has_value(tasks.c.owner, literal(self.owner, tasks.c.owner.type))

    def _checked(self) -> ColumnElement[bool]:
        """The tasks of the holder, where other conditions find few."""
        return checked(tasks.c.project == self.project) & self._of_owner()

    def _of_owner(self) -> ColumnElement[bool]:
        return true() if self.owner == _WHOLE_PROJECT else checked(tasks.c.owner == self.owner)


def _time(moment: datetime) -> ColumnElement[Any]:
    return literal(moment, UtcDateTime)

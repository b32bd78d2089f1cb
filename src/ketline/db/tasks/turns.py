"""SQL of the choice between projects: the one with the least use for its weight has the next turn on a queue.

`statements` builds claims with it. Use is what `db.shares` has measured of ended attempts, and what the running ones
take; no claim writes it, so that claims never wait for each other.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    true,
)

from ketline.db.engine.clock import now, seconds_between
from ketline.db.engine.prepared import Prepared
from ketline.db.schema.status_type import status_constant
from ketline.db.schema.tables import project_shares, projects, tasks
from ketline.db.tasks.rank import bound_queue, in_queue, ready
from ketline.domain.access.principals import ProjectName
from ketline.domain.status import TaskStatus

# The seconds that a running attempt counts beside its time: without them a project would take all slots that are
# free at the same moment.
START_SECONDS = 1.0


def turn() -> CTE:
    """The project that has the next turn on queue `bound_queue`, in one row; NULL if none waits there.

    With one project waiting it costs two index entries.
    """
    uses = _uses().subquery("uses")
    # guard: turn.use
    ranked = select(uses.c.project).order_by(uses.c.seconds / uses.c.weight, uses.c.rank_at, uses.c.project)
    edges = select(_first().label("low"), _first(last=True).label("high")).cte("edges").prefix_with("MATERIALIZED")
    fairest = ranked.limit(1).scalar_subquery()
    project = case((edges.c.low == edges.c.high, edges.c.low), else_=fairest)
    return select(project.label("project")).select_from(edges).cte("turn").prefix_with("MATERIALIZED")


class Turns:
    """The projects with tasks to claim on a queue, of which each claim gets the one whose turn it is.

    A task that a project has got counts as a running one when the next claim chooses.
    """

    def __init__(self, connection: Connection, queue: str) -> None:
        rows = _select_turns().run(connection, {"bound_queue": queue})
        self._waiting = {row.project: row for row in rows}
        self._seconds = {row.project: row.seconds for row in rows}

    def next(self) -> ProjectName | None:
        """The project in turn; None if none waits."""
        return min(self._waiting, key=self._order, default=None)

    def count(self, project: ProjectName) -> None:
        """Notes that the project has got a task."""
        self._seconds[project] += START_SECONDS  # guard: turn.counted

    def drop(self, project: ProjectName) -> None:
        """Notes that nothing of the project can be claimed now."""
        del self._waiting[project]

    def _order(self, project: ProjectName) -> tuple[float, datetime, ProjectName]:
        row = self._waiting[project]
        return self._seconds[project] / row.weight, row.rank_at, project  # guard: turn.fairest


@cache
def _select_turns() -> Prepared:
    uses = _uses().subquery("uses")
    return Prepared(select(uses.c.project, uses.c.seconds, uses.c.weight, uses.c.rank_at))


def candidates(attempts: CTE) -> tuple[CTE, Sequence[ColumnElement[Any]]]:
    """The next tasks of queue `bound_queue`, at least `bound_number` if as many wait, and the columns to order them by.

    They are those that single claims would take one after the other, each of which counts as a running task, as do
    those of `attempts`, which `running_attempts` gives. Another `bound_spare` tasks, spread over the projects, follow
    for those that other processes claim meanwhile. For PostgreSQL.
    """
    number_of_projects = func.count().over().label("projects")
    uses = _uses(attempts).add_columns(number_of_projects).subquery("uses")
    wanted, spare = bindparam("bound_number", type_=Integer()), bindparam("bound_spare", type_=Integer())
    first = _first_tasks(uses, wanted + 1 + spare / uses.c.projects)
    use = (uses.c.seconds + first.c.before * literal(START_SECONDS, Float)) / uses.c.weight  # guard: turn.batch
    order = (use.label("use"), first.c.rank_at, first.c.task_id)
    chosen = select(*order).select_from(uses.join(first, true())).order_by(*order)
    # Joined to the rows of `tasks` to lock them, so that a row which another worker claims meanwhile is passed over.
    following = chosen.limit(wanted + spare).cte("next")
    return following, (following.c.use, following.c.rank_at, following.c.task_id)


def _first_tasks(uses: Subquery, number: ColumnElement[Any]) -> FromClause:
    """The first tasks of a project of `uses` and how many of them are before each.

    There are more than `number` where several are of the same rank as the last: the index has no order of those, and
    PostgreSQL would read 32 tasks at once to sort them.
    """
    task = tasks.alias("candidate")
    ranked = (
        select(task.c.task_id, task.c.rank_at)
        .where(*_claimable(task), task.c.project == uses.c.project)
        .order_by(task.c.project, task.c.rank_at)
        .fetch(number, with_ties=True)
        .correlate(uses)
        .subquery("ranked")
    )
    before = (func.row_number().over(order_by=(ranked.c.rank_at, ranked.c.task_id)) - 1).label("before")
    return select(ranked, before).lateral("first")


def running_attempts() -> CTE:
    """The attempts that run, on all queues, with their tokens.

    The status is a constant: PostgreSQL keeps its plan, which has to know that few tasks have this one.
    """
    columns = (tasks.c.task_id, tasks.c.project, tasks.c.queue, tasks.c.claimed_at, tasks.c.lease_token)
    processing = tasks.c.current_status == status_constant(TaskStatus.PROCESSING)  # guard: turn.running
    return select(*columns).where(processing).cte("attempts")


def _uses(attempts: CTE | None = None) -> Select[Any]:
    """The current and recent use of each waiting project, its weight, and the rank of its first task."""
    waiting, running = _waiting(), _running(running_attempts() if attempts is None else attempts)
    of_queue = and_(project_shares.c.project == waiting.c.project, project_shares.c.queue == bound_queue())
    sources = (
        waiting.outerjoin(projects, projects.c.name == waiting.c.project)
        .outerjoin(project_shares, of_queue)
        .outerjoin(running, running.c.project == waiting.c.project)
    )
    seconds = func.coalesce(project_shares.c.used_seconds, 0.0) + func.coalesce(running.c.seconds, 0.0)
    weight = func.coalesce(projects.c.weight, 1.0)  # guard: turn.weight
    columns = (seconds.label("seconds"), weight.label("weight"), _first_rank(waiting).label("rank_at"))
    return select(waiting.c.project, *columns).select_from(sources).where(waiting.c.project.is_not(None))


def _waiting() -> CTE:
    """The projects with tasks that can be claimed, each by one lookup in the index, however many tasks it has."""
    waiting = select(_first().label("project")).cte("waiting", recursive=True)
    following = select(_first(after=waiting.c.project)).select_from(waiting).where(waiting.c.project.is_not(None))
    return waiting.union_all(following)


def _running(attempts: CTE) -> Any:
    """The seconds that the running attempts of each project have taken."""
    seconds = literal(START_SECONDS, Float) + seconds_between(attempts.c.claimed_at, now())
    return (
        select(attempts.c.project, func.sum(seconds).label("seconds"))
        .where(attempts.c.queue == bound_queue())
        .group_by(attempts.c.project)
        .subquery("running")
    )


def _first(*, last: bool = False, after: ColumnElement[Any] | None = None) -> ScalarSelect[Any]:
    """The first or last project, in alphabetical order, with a task that can be claimed."""
    task = tasks.alias()
    order = (task.c.project, task.c.rank_at)
    return (
        select(task.c.project)
        .where(*_claimable(task), *(() if after is None else (task.c.project > after,)))
        .order_by(*(column.desc() for column in order) if last else order)
        .limit(1)
        .scalar_subquery()
    )


def _first_rank(waiting: CTE) -> ScalarSelect[Any]:
    task = tasks.alias()
    return (
        select(task.c.rank_at)
        .where(*_claimable(task), task.c.project == waiting.c.project)
        .order_by(task.c.project, task.c.rank_at)
        .limit(1)
        .correlate(waiting)
        .scalar_subquery()
    )


def _claimable(task: Any) -> tuple[Any, ...]:
    return (in_queue(task), ready(task), task.c.available_at <= now())

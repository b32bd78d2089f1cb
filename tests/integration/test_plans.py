"""Statements that find a task by its id do so by the primary key, whatever PostgreSQL knew when it planned them.

Lists on SQLite, counts for quotas, and the history of statistics go by the index that was chosen for them.

A plan is made early, when there are hardly any tasks, and kept. One that goes through all tasks of a status costs
milliseconds as soon as a thousand wait.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import Connection, event, make_url
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from ketline.db import predicted_work
from ketline.db.access import SqlProjectStore
from ketline.db.engine.database import open_database
from ketline.db.engine.postgresql import PLANNING, SINGLE
from ketline.db.lists.minutes import count_minute
from ketline.db.lists.pages import Search
from ketline.db.lists.periods import read_history
from ketline.db.schema.tables import tasks
from ketline.db.tasks import attempts, statements
from ketline.db.tasks.quotas import store_limited
from ketline.db.tasks.submissions import InsertRequest
from ketline.db.webhooks.claims import select_attempts
from ketline.db.webhooks.messages import select_due
from ketline.db.webhooks.pages import select_page
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner
from ketline.domain.access.quotas import ProjectQuotas, Quota
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.operations.history import HistoryQuery, Minute
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import Position, TaskFilter, TaskQuery
from ketline.domain.webhooks.deliveries import DeliveryId, DeliveryState
from tests.actors import TESTER
from tests.contract.test_repository import submission

BY_ID = {
    "claim": attempts._claim_batch(single=False),
    "claim one": attempts._claim_batch(single=True),
    "complete": attempts._record_batch(TaskStatus.COMPLETED, single=False),
    "complete one": attempts._record_batch(TaskStatus.COMPLETED, single=True),
    "fail": attempts._record_batch(TaskStatus.FAILED, single=False),
    "fail one": attempts._record_batch(TaskStatus.FAILED, single=True),
    "renew": statements.renew_lease(),
    "let overtake": statements.let_overtake(),
}


@pytest.mark.parametrize("name", BY_ID)
async def test_plan_made_on_an_empty_table_goes_by_the_primary_key(name: str, postgres_url: str) -> None:
    compiled = BY_ID[name].statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]
    plan = await planned(postgres_url, str(compiled), len(compiled.positiontup or ()))
    assert "tasks_pkey on tasks" in plan
    assert "idx_task_status" not in plan.split("CTE taken")[-1]
    assert "Seq Scan on tasks" not in plan


@pytest.mark.parametrize("name", ["claim", "claim one"])
async def test_choice_between_projects_looks_them_up_one_by_one(name: str, postgres_url: str) -> None:
    """Their tasks that run, which are few, are the only ones that are read."""
    compiled = BY_ID[name].statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]
    plan = await planned(postgres_url, str(compiled), len(compiled.positiontup or ()))
    chosen = plan.split("CTE taken")[0]
    assert chosen.count(" using idx_task_rank on tasks") == 4
    assert chosen.count(" on tasks") == 5
    assert "using idx_task_status on tasks" in chosen
    assert "Index Cond: (current_status = 'processing'::taskstatus)" in chosen


async def test_last_completed_tasks_are_read_from_the_end_of_an_index(postgres_url: str) -> None:
    """The prediction of work reads a thousand of them, however many there are."""
    compiled = predicted_work._select_ended().compile(dialect=dialect())  # type: ignore[no-untyped-call]
    plan = await planned(postgres_url, str(compiled), len(compiled.positiontup or ()))
    assert "Limit" in plan
    assert "Index Scan Backward using idx_task_completed_at on tasks" in plan


async def planned(url: str, statement: str, parameters: int) -> str:
    """The plan that serves any parameters."""
    address = make_url(url)
    connection: Any = await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.username,
        database=address.database,
        server_settings=PLANNING | SINGLE,
    )
    try:
        await connection.execute(f"PREPARE planned AS {statement}")
        nothing = ", ".join(["NULL"] * parameters)
        rows = await connection.fetch(f"EXPLAIN EXECUTE planned({nothing})")
    finally:
        await connection.close()
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("index", ["idx_task_status", "idx_task_submitted_at", "idx_task_completed_at"])
async def test_minute_of_the_history_is_counted_by_indexes_on_postgresql(index: str, postgres_url: str) -> None:
    [(statement, parameters)] = await counts_of_a_minute(postgres_url)
    plan = await planned(postgres_url, statement, len(parameters))
    assert f"using {index} on tasks" in plan
    assert plan.count(" on tasks") == 5, "of each status that ended, those of a minute"
    assert plan.count("using idx_task_completed_at on tasks") == 3


async def test_minute_of_the_history_is_counted_by_indexes_on_sqlite(sqlite_url: str) -> None:
    [(statement, parameters)] = await counts_of_a_minute(sqlite_url)
    async with open_database(sqlite_url) as database:

        def explain(connection: Connection) -> list[str]:
            return [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]

        plan = [line for line in await database.read(explain) if "tasks" in line]
    assert len(plan) == 5, plan
    assert all(line.startswith("SEARCH tasks USING INDEX ") for line in plan), plan


async def test_history_of_a_project_is_read_by_its_key_on_postgresql(postgres_url: str) -> None:
    query = HistoryQuery(project=DEFAULT_PROJECT, first=Minute(1), end=Minute(43_201), step=120)
    executed = await executed_by(postgres_url, lambda connection: read_history(connection, query))
    plans = [await planned(postgres_url, statement, len(parameters)) for statement, parameters in executed]
    minutes, *figures = plans
    assert "using minutes_pkey on minutes" in minutes
    assert len(figures) == 2, "the second finds the first queue"
    for plan in figures:
        assert "using minute_figures_pkey on minute_figures" in plan
        assert "Index Cond: ((project = ($1)::text) AND (queue " in plan, plan


async def counts_of_a_minute(url: str) -> list[tuple[str, Any]]:
    return await executed_by(url, lambda connection: count_minute(connection, Minute(29_000_000)))


async def executed_by(url: str, work: Callable[[Connection], object]) -> list[tuple[str, Any]]:
    """The statements of a transaction, with what they bind."""
    executed: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        executed.append((statement, parameters))

    def run(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", note)
        work(connection)

    async with open_database(url) as database:
        await database.read(run)
    return executed


ROADS = {
    "idx_task_project (project=?": TaskFilter(),
    "idx_task_status_submitted (project=? AND current_status=?": TaskFilter(statuses=[TaskStatus.PENDING]),
    "idx_task_worker (project=? AND lease_owner=?": TaskFilter(worker_id=WorkerId("w")),
    "idx_task_error_code (project=? AND error_code=?": TaskFilter(error_code=FailureCode.TIMEOUT),
}


def explained_into(plans: list[str]) -> Callable[..., None]:
    """A listener that adds the plan of each statement on SQLite before it runs."""

    def explain(connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        driver: Any = connection.connection.driver_connection
        rows = driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        plans.extend(row[-1] for row in rows)

    return explain


@pytest.mark.parametrize("index", ROADS)
async def test_list_by_one_value_goes_to_it_in_the_index_on_sqlite(index: str, sqlite_url: str) -> None:
    which = replace(ROADS[index], project=DEFAULT_PROJECT)
    query = TaskQuery(which=which, after=Position(at=datetime.now(UTC), task_id=TaskId(uuid4())))
    plans: list[str] = []
    async with open_database(sqlite_url) as database:

        def search(connection: Connection) -> None:
            event.listen(connection, "before_cursor_execute", explained_into(plans))
            Search(connection, query, 500).find()

        await database.read(search)
    assert any(index in plan for plan in plans), plans


# The statements that every process runs once a second, and their indexes, which are nearly empty.
DELIVERIES = {
    "idx_task_callback": select_due().order_by(tasks.c.completed_at).limit(100),
    "idx_deliveries_next_at": select_attempts(64, (["slow.example"], ["flooding"])),
}


@pytest.mark.parametrize("index", DELIVERIES)
async def test_deliveries_are_looked_for_by_their_index_on_postgresql(index: str, postgres_url: str) -> None:
    own = dialect()  # type: ignore[no-untyped-call]
    compiled = DELIVERIES[index].compile(dialect=own, compile_kwargs={"render_postcompile": True})
    plan = await planned(postgres_url, str(compiled), len(compiled.positiontup or ()))
    assert f"using {index} on" in plan
    assert "Seq Scan on tasks" not in plan


@pytest.mark.parametrize("index", DELIVERIES)
async def test_deliveries_are_looked_for_by_their_index_on_sqlite(index: str, sqlite_url: str) -> None:
    plans: list[str] = []
    async with open_database(sqlite_url) as database:

        def search(connection: Connection) -> None:
            event.listen(connection, "before_cursor_execute", explained_into(plans))
            connection.execute(DELIVERIES[index])

        await database.read(search)
    assert any(f"USING INDEX {index}" in plan for plan in plans), plans


LISTED = select_page(DEFAULT_PROJECT, list(DeliveryState), DeliveryId(uuid4()), 100)


async def test_deliveries_are_listed_by_their_index_on_postgresql(postgres_url: str) -> None:
    own = dialect()  # type: ignore[no-untyped-call]
    compiled = LISTED.compile(dialect=own, compile_kwargs={"render_postcompile": True})
    plan = await planned(postgres_url, str(compiled), len(compiled.positiontup or ()))
    assert plan.count("using idx_deliveries_project on deliveries") == len(DeliveryState)
    assert "Seq Scan" not in plan


async def test_deliveries_are_listed_by_their_index_on_sqlite(sqlite_url: str) -> None:
    plans: list[str] = []
    async with open_database(sqlite_url) as database:

        def search(connection: Connection) -> None:
            event.listen(connection, "before_cursor_execute", explained_into(plans))
            connection.execute(LISTED)

        await database.read(search)
    searches = [plan for plan in plans if "SEARCH deliveries USING INDEX idx_deliveries_project" in plan]
    assert len(searches) == len(DeliveryState), plans
    assert all("created_at<" in plan for plan in searches)


async def test_waiting_tasks_of_an_owner_are_counted_by_their_index_on_postgresql(postgres_url: str) -> None:
    [(statement, parameters)] = await counts_of_an_owner(postgres_url)
    assert "using idx_task_owner on tasks" in await planned(postgres_url, statement, len(parameters))


async def test_waiting_tasks_of_an_owner_are_counted_by_their_index_on_sqlite(sqlite_url: str) -> None:
    [(statement, parameters)] = await counts_of_an_owner(sqlite_url)
    async with open_database(sqlite_url) as database:

        def explain(connection: Connection) -> list[str]:
            return [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]

        plan = await database.read(explain)
    assert any("idx_task_owner (project=? AND owner=?" in line for line in plan), plan


async def counts_of_an_owner(url: str) -> list[tuple[str, Any]]:
    """The statements, with what they bind, that count tasks when an owner with a quota of waiting tasks submits one."""
    executed: list[tuple[str, Any]] = []
    new = replace(submission(), owner=Owner("ada"))
    request = InsertRequest(new, DEFAULT_PROJECT, key_lifetime=timedelta(hours=1), due_in=timedelta(), dispatches=0)

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        executed.append((statement, parameters))

    def work(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", note)
        store_limited(connection, [request])

    async with open_database(url) as database:
        await SqlProjectStore(database).change(
            DEFAULT_PROJECT, quotas=ProjectQuotas(owner={Quota.WAITING: 100}), actor=TESTER
        )
        await database.write(work)
    return [one for one in executed if "count(" in one[0]]

"""What is stored within the quotas of a project, on PostgreSQL and SQLite: also when many submit at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest
from sqlalchemy import Connection, text, update

from ketline.db.access import SqlProjectStore
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database, open_database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import quota_usage
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName
from ketline.domain.access.quotas import ProjectQuotas, Quota, Quotas
from ketline.domain.errors import IdempotencyKeyReused, ProjectUnknown, QuotaExceeded, QuotaExhausted
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.submission import IdempotencyKey, Submission
from tests.actors import TESTER
from tests.contract.test_repository import LEASE, RESULT, WORKER, move_back, submission
from tests.specs import respecified

TEAM = ProjectName("team")
ADA, BOB = Owner("ada"), Owner("bob")
KEY = IdempotencyKey(key="k", fingerprint="f")
WHEN = datetime(2036, 1, 2, tzinfo=UTC)


@pytest.fixture
async def projects(database: Database) -> SqlProjectStore:
    projects = SqlProjectStore(database)
    await projects.add(TEAM, TESTER)
    return projects


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, project=TEAM)


async def limited(projects: SqlProjectStore, quotas: Quotas, **others: Any) -> None:
    await projects.change(TEAM, quotas=ProjectQuotas(project=quotas, **others), actor=TESTER)


async def end(repository: SqlTaskRepository, database: Database, one: Submission, seconds: float) -> None:
    """Run a task, in an attempt that began so many seconds ago."""
    claim = await repository.claim(one.task_id, WORKER, LEASE)
    assert claim is not None
    await move_back(database, one.task_id, "claimed_at", seconds)
    assert await repository.finish(claim.lease, RESULT)


async def stored(repository: SqlTaskRepository, **changed: Any) -> Submission:
    new = respecified(submission(), **changed)
    await repository.add(new, limited=True)
    return new


async def used_seconds(database: Database) -> float:
    """The seconds stored as used by the only project that has a quota."""
    statement = text("SELECT seconds FROM quota_usage")
    return float(await database.read(lambda connection: connection.execute(statement).scalar_one()))


async def test_quotas_of_a_project_are_kept(projects: SqlProjectStore) -> None:
    quotas = ProjectQuotas(project={Quota.WAITING: 3, Quota.SECONDS_PER_DAY: 0.5}, owner={Quota.PRIORITY: 0})
    assert (await projects.change(TEAM, quotas=quotas, actor=TESTER)).quotas == quotas
    assert await projects.quotas() == {TEAM: quotas}
    assert not (await projects.get(DEFAULT_PROJECT)).quotas
    await projects.change(TEAM, quotas=ProjectQuotas(), actor=TESTER)
    assert await projects.quotas() == {}
    with pytest.raises(ProjectUnknown):
        await projects.change(ProjectName("nowhere"), quotas=quotas, actor=TESTER)


async def test_waiting_tasks_are_counted_until_they_run(
    projects: SqlProjectStore, repository: SqlTaskRepository
) -> None:
    await limited(projects, {Quota.WAITING: 3})
    first = await stored(repository)
    await stored(repository, hold=True)
    await stored(repository, scheduled_for=WHEN)
    with pytest.raises(QuotaExhausted, match=r"3 waiting tasks, and 3 are used") as rejected:
        await stored(repository)
    error = rejected.value
    assert (error.quota, error.scope, error.used, error.limit) == ("waiting", "project", 3, 3)
    assert error.free_at is None
    assert await repository.claim(first.task_id, WORKER, LEASE)
    await stored(repository)


async def test_active_tasks_are_counted_until_they_end(
    projects: SqlProjectStore, repository: SqlTaskRepository
) -> None:
    await limited(projects, {Quota.ACTIVE: 2})
    first, second = await stored(repository), await stored(repository)
    claim = await repository.claim(first.task_id, WORKER, LEASE)
    assert claim
    with pytest.raises(QuotaExhausted, match="2 waiting and running tasks"):
        await stored(repository)
    assert await repository.finish(claim.lease, RESULT)
    await stored(repository)
    await repository.cancel(second.task_id, TESTER)
    await stored(repository)


async def test_shots_of_a_day_are_those_of_all_points(projects: SqlProjectStore, repository: SqlTaskRepository) -> None:
    await limited(projects, {Quota.SHOTS_PER_DAY: 50})
    await stored(repository, inputs={"theta": [0.1, 0.2, 0.3]})
    cancelled = await stored(repository)
    await repository.cancel(cancelled.task_id, TESTER)
    with pytest.raises(
        QuotaExhausted, match=r"50 shots a day, and 40 are used; it is free again at .* UTC"
    ) as rejected:
        await stored(repository, inputs={"theta": [0.1, 0.2]})
    error = rejected.value
    assert error.free_at is not None
    assert (error.free_at.hour, error.free_at.minute) == (0, 0)
    assert error.retry_after is not None
    assert timedelta() < error.retry_after <= timedelta(days=1)
    await stored(repository)
    with pytest.raises(QuotaExhausted):
        await stored(repository)
    with pytest.raises(QuotaExceeded, match="this request needs 51") as never:
        await stored(repository, shots=51)
    assert not isinstance(never.value, QuotaExhausted)


async def test_another_day_begins_with_nothing_used(
    projects: SqlProjectStore, repository: SqlTaskRepository, database: Database
) -> None:
    await limited(projects, {Quota.SHOTS_PER_DAY: 10, Quota.SECONDS_PER_DAY: 1})

    def yesterday(connection: Connection) -> None:
        connection.execute(update(quota_usage).values(day=from_now(-90_000), shots=10, seconds=7.0))

    await stored(repository)
    await database.write(yesterday)
    await stored(repository)
    with pytest.raises(QuotaExhausted):
        await stored(repository)


async def test_seconds_of_a_day_are_those_of_attempts_that_ended(
    projects: SqlProjectStore, repository: SqlTaskRepository, database: Database
) -> None:
    await limited(projects, {Quota.SECONDS_PER_DAY: 10})
    first, second, run = await stored(repository), await stored(repository), await stored(repository)
    await end(repository, database, first, 6)
    third = await stored(repository)
    await end(repository, database, second, 5)
    with pytest.raises(QuotaExhausted, match=r"10 simulated seconds a day, and 11\.0"):
        await stored(repository)
    await limited(projects, {Quota.SECONDS_PER_DAY: 12})
    await stored(repository)
    await end(repository, database, run, 3)
    with pytest.raises(QuotaExhausted, match=r"and 14\.0"):
        await stored(repository)
    assert await repository.claim(third.task_id, WORKER, LEASE), "what is stored runs"


async def test_seconds_that_ended_a_while_ago_are_counted_once(
    projects: SqlProjectStore, repository: SqlTaskRepository, database: Database
) -> None:
    await limited(projects, {Quota.SECONDS_PER_DAY: 10})
    first = await stored(repository)
    await end(repository, database, first, 6)
    await move_back(database, first.task_id, "completed_at", 100)

    def earlier(connection: Connection) -> None:
        connection.execute(update(quota_usage).values(counted_until=from_now(-200)))

    await database.write(earlier)
    for _ in range(3):
        await stored(repository)
    assert 6 <= await used_seconds(database) < 7


async def test_deleting_tasks_gives_no_seconds_back(
    projects: SqlProjectStore, repository: SqlTaskRepository, database: Database
) -> None:
    """Neither to the project nor to the owner, by a client or by retention; nobody else pays for them."""
    limits = {Quota.SECONDS_PER_DAY: 10.0}
    await limited(projects, limits, owner=limits)
    catalogue = SqlTaskCatalogue(database, project=TEAM)
    first, second = (replace(submission(), owner=ADA) for _ in range(2))
    await repository.add_all([first, second], limited=True)
    await repository.add(replace(submission(), owner=BOB), limited=True)
    await end(repository, database, first, 6)
    await catalogue.delete(first.task_id, TESTER)
    await end(repository, database, second, 6)
    assert await catalogue.delete_older(timedelta(seconds=-1), 10) == 1
    with pytest.raises(QuotaExhausted, match=r"quota of this project is 10 simulated seconds a day, and 12\."):
        await repository.add(replace(submission(), owner=BOB), limited=True)
    await limited(projects, {}, owner=limits)
    with pytest.raises(QuotaExhausted, match=r"quota of this owner is 10 simulated seconds a day, and 12\."):
        await repository.add(replace(submission(), owner=ADA), limited=True)
    await repository.add(replace(submission(), owner=BOB), limited=True)


async def test_seconds_that_are_counted_are_not_counted_again_when_their_task_is_deleted(
    projects: SqlProjectStore, repository: SqlTaskRepository, database: Database
) -> None:
    await limited(projects, {Quota.SECONDS_PER_DAY: 10})
    first = await stored(repository)
    await end(repository, database, first, 6)

    def count(connection: Connection) -> None:
        connection.execute(update(quota_usage).values(seconds=6.0, counted_until=from_now(1)))

    await database.write(count)
    await SqlTaskCatalogue(database, project=TEAM).delete(first.task_id, TESTER)
    assert await used_seconds(database) == 6.0
    await stored(repository)


async def test_seconds_of_a_task_deleted_before_the_first_submission_of_the_day_count(
    projects: SqlProjectStore, repository: SqlTaskRepository, database: Database
) -> None:
    await limited(projects, {Quota.SECONDS_PER_DAY: 10})
    first = await stored(repository)
    await end(repository, database, first, 11)

    def yesterday(connection: Connection) -> None:
        old = {"day": from_now(-90_000), "counted_until": from_now(-90_000), "seconds": 7.0}
        connection.execute(update(quota_usage).values(old))

    await database.write(yesterday)
    await SqlTaskCatalogue(database, project=TEAM).delete(first.task_id, TESTER)
    with pytest.raises(QuotaExhausted, match=r"and 11\."):
        await stored(repository)


async def test_jobs_on_backends_use_no_simulated_seconds(
    projects: SqlProjectStore, repository: SqlTaskRepository, database: Database
) -> None:
    await limited(projects, {Quota.SECONDS_PER_DAY: 10})
    job = await stored(repository)

    def on_backend(connection: Connection) -> None:
        connection.execute(text("UPDATE tasks SET kind = 'run'"))

    await end(repository, database, job, 60)
    await database.write(on_backend)
    await stored(repository)


@pytest.mark.parametrize(
    ("quotas", "changed", "message"),
    [
        ({Quota.PROGRAM_BYTES: 15}, {"circuit": "OPENQASM 3.0;//π"}, "15 bytes of a program; this request needs 17"),
        ({Quota.TIMEOUT_S: 2}, {"time_limit_seconds": 2.5}, "2 seconds of time limit; this request needs 2.5"),
        ({Quota.PRIORITY: 0}, {"priority": 1}, "0 as the highest priority; this request needs 1"),
        ({Quota.SHOTS_PER_DAY: 9}, {}, "9 shots a day; this request needs 10"),
    ],
)
@pytest.mark.parametrize("scope", ["project", "owner"])
async def test_request_above_a_quota_is_rejected_for_good(
    projects: SqlProjectStore,
    repository: SqlTaskRepository,
    quotas: Quotas,
    changed: dict[str, Any],
    message: str,
    scope: str,
) -> None:
    await projects.change(TEAM, quotas=ProjectQuotas(**{scope: quotas}), actor=TESTER)
    new = replace(respecified(submission(), **changed), owner=ADA)
    with pytest.raises(QuotaExceeded, match=message) as rejected:
        await repository.add(new, limited=True)
    assert (type(rejected.value), rejected.value.scope) == (QuotaExceeded, scope)
    assert await repository.statuses([new.task_id]) == {}


async def test_each_owner_has_the_quotas_of_owners(projects: SqlProjectStore, repository: SqlTaskRepository) -> None:
    owner = {Quota.WAITING: 1, Quota.ACTIVE: 2, Quota.SHOTS_PER_DAY: 30, Quota.SECONDS_PER_DAY: 100}
    await limited(projects, {Quota.WAITING: 4}, owner=owner)
    for name in (ADA, BOB):
        await repository.add(replace(submission(), owner=name), limited=True)
        with pytest.raises(QuotaExhausted, match=r"quota of this owner is 1 waiting tasks, and 1"):
            await repository.add(replace(submission(), owner=name), limited=True)
    await stored(repository)
    await stored(repository)
    with pytest.raises(QuotaExhausted, match=r"quota of this project"):
        await stored(repository)


async def test_repeat_of_a_stored_task_is_never_rejected(
    projects: SqlProjectStore, repository: SqlTaskRepository
) -> None:
    await limited(projects, {Quota.WAITING: 1, Quota.SHOTS_PER_DAY: 10})
    keyed, plain = submission(key=KEY), submission()
    accepted = await repository.add(keyed, limited=True)
    again = await repository.add(submission(key=KEY), limited=True)
    assert (again.task_id, accepted.repeated, again.repeated) == (accepted.task_id, False, True)
    assert (await repository.add_all([submission(key=KEY)], limited=True))[0].repeated
    with pytest.raises(IdempotencyKeyReused):
        await repository.add(submission(key=replace(KEY, fingerprint="other")), limited=True)
    await limited(projects, {Quota.WAITING: 2, Quota.PRIORITY: 0})
    first = await repository.add(plain, limited=True)
    assert await repository.add(plain, limited=True) == first
    assert await repository.add_all([plain], limited=True) == [first]


async def test_quotas_are_checked_without_using_them(projects: SqlProjectStore, repository: SqlTaskRepository) -> None:
    await limited(projects, {Quota.WAITING: 2, Quota.SHOTS_PER_DAY: 20}, owner={Quota.PRIORITY: 0})
    for _ in range(3):
        await repository.require_room([submission(), submission(key=KEY)])
    await repository.add_all([submission(), submission(key=KEY)], limited=True)
    await repository.require_room([submission(key=KEY)])
    with pytest.raises(QuotaExhausted):
        await repository.require_room([submission()])
    with pytest.raises(IdempotencyKeyReused):
        await repository.require_room([submission(key=replace(KEY, fingerprint="other"))])
    unknown = replace(
        repository, project=ProjectName("unknown"), default_quotas=ProjectQuotas(project={Quota.WAITING: 1})
    )
    await unknown.require_room([submission()])
    with pytest.raises(QuotaExceeded):
        await unknown.require_room([submission(), submission()])


async def test_batch_is_within_the_quotas_or_stores_nothing(
    projects: SqlProjectStore, repository: SqlTaskRepository
) -> None:
    await limited(projects, {Quota.WAITING: 5, Quota.SHOTS_PER_DAY: 60})
    await repository.add_all([submission() for _ in range(3)], limited=True)
    batch = [submission() for _ in range(3)]
    with pytest.raises(QuotaExhausted):
        await repository.add_all(batch, limited=True)
    assert await repository.statuses([one.task_id for one in batch]) == {}
    with pytest.raises(QuotaExceeded, match="this request needs 6"):
        await repository.add_all([submission() for _ in range(6)], limited=True)
    await repository.add_all(batch[:2], limited=True)


async def test_other_projects_use_nothing(projects: SqlProjectStore, repository: SqlTaskRepository) -> None:
    await limited(projects, {Quota.ACTIVE: 1, Quota.SECONDS_PER_DAY: 1})
    for _ in range(3):
        await stored(repository.within(DEFAULT_PROJECT))
    await stored(repository)


async def test_conversion_uses_no_shots(projects: SqlProjectStore, repository: SqlTaskRepository) -> None:
    await limited(projects, {Quota.SHOTS_PER_DAY: 1})
    await stored(repository, kind=TaskKind.CONVERT, shots=0)


async def test_conversion_needs_no_room_where_a_quota_of_shots_was_lowered(
    projects: SqlProjectStore, repository: SqlTaskRepository
) -> None:
    await limited(projects, {Quota.SHOTS_PER_DAY: 10})
    await stored(repository)
    await limited(projects, {Quota.SHOTS_PER_DAY: 5})
    await stored(repository, kind=TaskKind.CONVERT, shots=0)
    with pytest.raises(QuotaExhausted):
        await stored(repository, shots=1)


async def test_default_quotas_apply_where_a_project_has_none_of_its_own(
    projects: SqlProjectStore, repository: SqlTaskRepository
) -> None:
    defaults = ProjectQuotas(project={Quota.WAITING: 1}, owner={Quota.PRIORITY: 0})
    repository = replace(repository, default_quotas=defaults)
    await stored(repository)
    with pytest.raises(QuotaExhausted, match="1 waiting tasks"):
        await stored(repository)
    await limited(projects, {Quota.WAITING: 2})
    urgent = replace(respecified(submission(), priority=1), owner=ADA)
    with pytest.raises(QuotaExceeded, match="0 as the highest priority"):
        await repository.add(urgent, limited=True)
    await limited(projects, {Quota.WAITING: 2}, owner={Quota.PRIORITY: 1})
    await repository.add(urgent, limited=True)
    with pytest.raises(QuotaExhausted, match="2 waiting tasks"):
        await stored(repository)


async def test_default_quotas_hold_in_a_project_that_nobody_created(repository: SqlTaskRepository) -> None:
    """As for members of an issuer's groups; the fixture `projects` is not used."""
    defaults = ProjectQuotas(project={Quota.WAITING: 7, Quota.SHOTS_PER_DAY: 1000})
    repository = replace(repository, default_quotas=defaults)
    new = [submission() for _ in range(20)]
    outcomes = await asyncio.gather(*(repository.add(one, limited=True) for one in new), return_exceptions=True)
    assert sum(isinstance(outcome, QuotaExhausted) for outcome in outcomes) == 13
    assert len(await repository.statuses([one.task_id for one in new])) == 7
    assert (await SqlProjectStore(repository.database).get(TEAM)).quotas == ProjectQuotas()


@pytest.fixture
async def processes(database_url: str, projects: SqlProjectStore) -> AsyncIterator[list[SqlTaskRepository]]:
    """The repositories of two processes, each with connections of its own."""
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database(database_url)) for _ in range(2)]
        yield [SqlTaskRepository(database, project=TEAM) for database in databases]


@pytest.mark.parametrize(
    "quotas",
    [
        ProjectQuotas(project={Quota.WAITING: 7}),
        ProjectQuotas(owner={Quota.ACTIVE: 7}),
        ProjectQuotas(project={Quota.SHOTS_PER_DAY: 70}),
        ProjectQuotas(owner={Quota.SHOTS_PER_DAY: 79}),
    ],
)
async def test_quotas_hold_when_a_hundred_submit_at_once(
    projects: SqlProjectStore, processes: list[SqlTaskRepository], quotas: ProjectQuotas
) -> None:
    await projects.change(TEAM, quotas=quotas, actor=TESTER)
    new = [replace(submission(), owner=ADA) for _ in range(100)]
    outcomes = await asyncio.gather(
        *(process.add(one, limited=True) for process, one in zip(cycle(processes), new, strict=False)),
        return_exceptions=True,
    )
    rejected = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(error) for error in rejected} == {QuotaExhausted}
    assert len(rejected) == 93
    assert len(await processes[0].statuses([one.task_id for one in new])) == 7


async def test_seconds_count_once_while_tasks_are_deleted_and_submitted(
    projects: SqlProjectStore, processes: list[SqlTaskRepository], database: Database
) -> None:
    limits = {Quota.SECONDS_PER_DAY: 1000.0}
    await limited(projects, limits, owner=limits)
    first, second = processes
    old = [replace(submission(), owner=ADA) for _ in range(20)]
    await first.add_all(old, limited=True)
    for one in old:
        await end(first, database, one, 6)
    catalogue = SqlTaskCatalogue(second.database, project=TEAM)
    new = [replace(submission(), owner=ADA) for _ in old]
    submitting = [first.add(one, limited=True) for one in new]
    await asyncio.gather(*submitting, *(catalogue.delete(one.task_id, TESTER) for one in old))
    await limited(projects, {Quota.SECONDS_PER_DAY: 1})
    with pytest.raises(QuotaExhausted, match=r"and 12\d\."):
        await stored(first)

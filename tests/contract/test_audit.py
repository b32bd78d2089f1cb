"""What the audit log promises, on PostgreSQL and SQLite: an action and its entry are one commit."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, update

from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.audit import SqlAuditLog
from ketline.db.browser_sessions import SqlSessionStore
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import audit
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, Principal, ProjectName, Role
from ketline.domain.access.quotas import ProjectQuotas
from ketline.domain.errors import KeyUnknown, ProjectExists, ProjectUnknown, TaskEnded, TaskNotEnded, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.runtime.clock import SystemClock
from ketline.service.access.keys import ManageKeys
from ketline.service.access.rejected_sign_ins import MAX_ORIGINS, RecordRejectedSignIns, SignInMethod
from ketline.service.access.sessions import ManageSessions
from tests.contract.test_repository import submission

ADA = Actor(owner=Owner("ada"), key_id="0f8b6a4f2c1d", origin="192.0.2.1")
TEAM = ProjectName("team-1")


@pytest.fixture
def log(database: Database) -> SqlAuditLog:
    return SqlAuditLog(database)


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database)


async def recorded(log: SqlAuditLog, project: ProjectName | None = None) -> list[AuditRecord]:
    """The records, the oldest first."""
    return [entry.record for entry in (await log.find(project, None, 100)).entries][::-1]


async def test_keys_and_projects_are_recorded_with_their_actor(database: Database, log: SqlAuditLog) -> None:
    keys = ManageKeys(SqlKeyStore(database))
    await SqlProjectStore(database).add(TEAM, ADA)
    old = await keys.create(project=TEAM, role=Role.READER, owner=Owner("bob"), actor=ADA)
    new = await keys.rotate(old.key.key_id, timedelta(hours=1), actor=ADA)
    await keys.revoke(new.key.key_id, ADA)
    assert await recorded(log) == [
        AuditRecord(action=Action.PROJECT_CREATED, actor=ADA, project=TEAM, target=TEAM),
        AuditRecord(action=Action.KEY_CREATED, actor=ADA, project=TEAM, target=old.key.key_id, notes="reader"),
        AuditRecord(
            action=Action.KEY_ROTATED,
            actor=ADA,
            project=TEAM,
            target=old.key.key_id,
            notes=f"replaced by {new.key.key_id}",
        ),
        AuditRecord(action=Action.KEY_REVOKED, actor=ADA, project=TEAM, target=new.key.key_id),
    ]
    stored = repr(await log.find(None, None, 100))
    assert not any(key.text.rsplit("_", 1)[1] in stored for key in (old, new))


async def test_changed_quotas_are_recorded(database: Database, log: SqlAuditLog) -> None:
    projects = SqlProjectStore(database)
    await projects.change(DEFAULT_PROJECT, quotas=ProjectQuotas(), weight=2.0, actor=ADA)
    await projects.change(DEFAULT_PROJECT, actor=ADA)
    with pytest.raises(ProjectUnknown):
        await projects.change(TEAM, quotas=ProjectQuotas(), actor=ADA)
    assert await recorded(log) == [
        AuditRecord(
            action=Action.PROJECT_CHANGED,
            actor=ADA,
            project=DEFAULT_PROJECT,
            target=DEFAULT_PROJECT,
            notes="quotas and weight",
        )
    ]


async def test_cancellation_and_deletion_are_recorded_once(
    database: Database, repository: SqlTaskRepository, log: SqlAuditLog
) -> None:
    theirs, catalogue = repository.within(TEAM), SqlTaskCatalogue(database, project=TEAM)
    task_id = (await theirs.add(submission())).task_id
    await theirs.cancel(task_id, ADA)
    with pytest.raises(TaskEnded):
        await theirs.cancel(task_id, ADA)
    await catalogue.delete(task_id, ADA)
    assert await recorded(log) == [
        AuditRecord(action=action, actor=ADA, project=TEAM, target=str(task_id))
        for action in (Action.TASK_CANCELLED, Action.TASK_DELETED)
    ]


async def test_sign_in_and_sign_out_are_recorded_once(database: Database, log: SqlAuditLog) -> None:
    new = await ManageKeys(SqlKeyStore(database)).create(
        project=DEFAULT_PROJECT, role=Role.READER, owner=Owner("bob"), actor=ADA
    )
    bob = Actor(owner=new.key.owner, key_id=new.key.key_id, origin="192.0.2.7")
    sessions = ManageSessions(SqlSessionStore(database), timedelta(hours=1))
    token = await sessions.start(Principal(role=Role.READER, owner=bob.owner, key_id=bob.key_id), bob.origin)
    for _ in range(2):
        await sessions.end(token, bob)
    assert (await recorded(log))[1:] == [
        AuditRecord(action=action, actor=bob, project=DEFAULT_PROJECT)
        for action in (Action.SESSION_STARTED, Action.SESSION_ENDED)
    ]
    assert token.removeprefix("kts_") not in repr(await log.find(None, None, 100))


async def test_rejected_sign_ins_are_counted_and_cannot_fill_the_log(log: SqlAuditLog) -> None:
    rejected = RecordRejectedSignIns(log, SystemClock())
    for number in range(1000):
        await rejected(f"192.0.2.{number % 100}", SignInMethod.API_KEY)
    await rejected.record_counted()
    await rejected.record_counted()
    notes = [(record.action, record.actor.origin, record.notes) for record in await recorded(log)]
    named = [f"192.0.2.{number}" for number in range(MAX_ORIGINS)]
    assert notes == [
        *((Action.SIGN_IN_REFUSED, origin, "API key") for origin in named),
        *((Action.SIGN_IN_REFUSED, origin, "9 more") for origin in named),
        (Action.SIGN_IN_REFUSED, None, f"{1000 - 10 * MAX_ORIGINS} from other addresses"),
    ]
    await rejected("192.0.2.99", SignInMethod.PROVIDER)
    assert (await recorded(log))[-1].notes == "identity provider"


async def test_what_was_not_done_is_not_recorded(
    database: Database, repository: SqlTaskRepository, log: SqlAuditLog
) -> None:
    keys, projects, catalogue = SqlKeyStore(database), SqlProjectStore(database), SqlTaskCatalogue(database)
    task_id = (await repository.add(submission())).task_id
    with pytest.raises(TaskNotEnded):
        await catalogue.delete(task_id, ADA)
    with pytest.raises(TaskNotFound):
        await repository.within(TEAM).cancel(TaskId(task_id), ADA)
    with pytest.raises(KeyUnknown):
        await keys.revoke("0" * 12, ADA)
    with pytest.raises(ProjectExists):
        await projects.add(DEFAULT_PROJECT, ADA)
    assert await recorded(log) == []


async def test_pages_go_on_where_the_last_one_ended(log: SqlAuditLog) -> None:
    for number in range(5):
        project = TEAM if number % 2 else DEFAULT_PROJECT
        await log.add(AuditRecord(action="later.version", actor=ADA, project=project, target=str(number)))
    first = await log.find(None, None, 2)
    second = await log.find(None, first.next, 2)
    last = await log.find(None, second.next, 2)
    targets = [[entry.record.target for entry in page.entries] for page in (first, second, last)]
    assert (targets, last.next) == ([["4", "3"], ["2", "1"], ["0"]], None)
    assert [one.target for one in await recorded(log, TEAM)] == ["1", "3"]
    assert abs(first.entries[0].at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_old_entries_are_deleted(database: Database, log: SqlAuditLog) -> None:
    for target in ("old", "older", "new"):
        await log.add(AuditRecord(action=Action.KEY_REVOKED, actor=ADA, target=target))

    def age(connection: Connection) -> None:
        connection.execute(update(audit).where(audit.c.target != "new").values(at=from_now(-7200)))

    await database.write(age)
    hour = timedelta(hours=1)
    assert [await log.delete_older(hour, 1) for _ in range(3)] == [1, 1, 0]
    assert [one.target for one in await recorded(log)] == ["new"]

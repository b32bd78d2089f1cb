"""What stored sessions of browsers promise, on PostgreSQL and SQLite."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from ketline.db.access import SqlKeyStore
from ketline.db.browser_sessions import SqlSessionStore
from ketline.db.engine.database import Database
from ketline.db.schema.tables import sessions
from ketline.domain.access.groups import parse_groups
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, Principal, ProjectName, Role
from ketline.domain.errors import CredentialsInvalid
from ketline.runtime.clock import SystemClock
from ketline.service.access.keys import ManageKeys, VerifyKey
from ketline.service.access.sessions import ManageSessions, VerifySession
from tests.actors import TESTER

CHEMISTRY, PHYSICS = ProjectName("chemistry"), ProjectName("physics")
HOUR = timedelta(hours=1)
ORIGIN = "192.0.2.1"
SLACK = timedelta(minutes=1)


@pytest.fixture
def store(database: Database) -> SqlSessionStore:
    return SqlSessionStore(database)


@pytest.fixture
def manage(store: SqlSessionStore) -> ManageSessions:
    return ManageSessions(store, HOUR)


@pytest.fixture
def verify(store: SqlSessionStore) -> VerifySession:
    return VerifySession(store)


async def key_of(database: Database, lifetime: timedelta | None = None) -> Principal:
    keys = SqlKeyStore(database)
    new = await ManageKeys(keys).create(
        project=DEFAULT_PROJECT, role=Role.SUBMITTER, owner=Owner("ada"), lifetime=lifetime, actor=TESTER
    )
    return await VerifyKey(keys, SystemClock())(new.text)


async def test_session_has_the_rights_of_its_key_for_its_time(
    database: Database, manage: ManageSessions, verify: VerifySession
) -> None:
    member = await key_of(database)
    principal = await verify(await manage.start(member, ORIGIN))
    assert (principal.project, principal.role, principal.owner) == (DEFAULT_PROJECT, Role.SUBMITTER, Owner("ada"))
    assert principal.key_id == member.key_id
    assert principal.expires_at is not None
    assert abs(principal.expires_at - datetime.now(UTC) - HOUR) < SLACK


async def test_session_ends_with_its_key(database: Database, manage: ManageSessions, verify: VerifySession) -> None:
    lasting, short = await key_of(database), await key_of(database, timedelta(minutes=5))
    session, limited = await manage.start(lasting, ORIGIN), await manage.start(short, ORIGIN)
    assert (await verify(limited)).expires_at == short.expires_at
    assert lasting.key_id is not None
    await ManageKeys(SqlKeyStore(database)).revoke(lasting.key_id, TESTER)
    with pytest.raises(CredentialsInvalid):
        await verify(session)
    await verify(limited)


async def test_session_that_is_over_is_rejected_and_deleted(
    database: Database, store: SqlSessionStore, manage: ManageSessions, verify: VerifySession
) -> None:
    member = await key_of(database)
    over = await ManageSessions(store, timedelta(seconds=-1)).start(member, ORIGIN)
    with pytest.raises(CredentialsInvalid):
        await verify(over)
    await manage.start(member, ORIGIN)

    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(sessions)).scalar_one()

    assert await database.read(count) == 1


async def test_ended_session_and_unknown_ones_are_rejected_alike(
    database: Database, manage: ManageSessions, verify: VerifySession
) -> None:
    member = await key_of(database)
    session, other = await manage.start(member, ORIGIN), await manage.start(member, ORIGIN)
    await manage.end(session, TESTER)
    await manage.end(session, TESTER)
    rejections = set()
    for token in (session, session[:-1], session.upper(), "kts_" + "0" * 64, "kts_", ""):
        with pytest.raises(CredentialsInvalid) as rejection:
            await verify(token)
        rejections.add(str(rejection.value))
    assert len(rejections) == 1
    await verify(other)


async def test_session_of_no_key_ends_by_itself_only(manage: ManageSessions, verify: VerifySession) -> None:
    session = await manage.start(Principal(role=Role.READER, owner=Owner("grace")), ORIGIN)
    principal = await verify(session)
    assert (principal.key_id, principal.role, principal.owner) == (None, Role.READER, Owner("grace"))


async def test_nothing_of_a_token_is_stored(database: Database, manage: ManageSessions) -> None:
    token = await manage.start(Principal(role=Role.READER), ORIGIN)

    def rows(connection: Connection) -> str:
        return repr(connection.execute(sessions.select()).all())

    stored = await database.read(rows)
    assert token not in stored
    assert repr(bytes.fromhex(token.removeprefix("kts_")))[2:-1] not in stored


async def test_session_is_moved_to_another_project_under_another_token(
    store: SqlSessionStore, manage: ManageSessions
) -> None:
    verify = VerifySession(store, parse_groups("g=physics:reader,g=chemistry:operator"))
    began = Principal(project=PHYSICS, role=Role.READER, owner=Owner("ada"), groups=("g",))
    session, other = await manage.start(began, ORIGIN), await manage.start(began, ORIGIN)
    before = await verify(session)
    assert (before.project, before.role) == (PHYSICS, Role.READER)
    target = before.within(CHEMISTRY)
    assert target is not None
    moved = await verify(token := await manage.move(session, target))
    assert (moved.project, moved.role, moved.owner) == (CHEMISTRY, Role.OPERATOR, Owner("ada"))
    assert moved.expires_at == before.expires_at
    assert token != session
    with pytest.raises(CredentialsInvalid):
        await verify(session)
    with pytest.raises(CredentialsInvalid):
        await manage.move(session, target)
    assert (await verify(other)).project == PHYSICS


async def test_repeated_move_is_the_same_move(database: Database, store: SqlSessionStore) -> None:
    """The database may have committed the first one without an answer."""
    await store.add(b"old", Principal(project=PHYSICS, role=Role.READER), HOUR, TESTER)
    for _ in range(2):
        assert await store.move(b"old", b"new", CHEMISTRY, Role.OPERATOR)
    moved = await store.find(b"new")
    assert moved is not None
    assert (moved.project, moved.role) == (CHEMISTRY, Role.OPERATOR)
    assert not await store.move(b"old", b"other", PHYSICS, Role.READER)


async def test_session_that_is_over_is_not_moved(store: SqlSessionStore) -> None:
    manage = ManageSessions(store, timedelta(seconds=-1))
    over = await manage.start(Principal(role=Role.READER, groups=("g",)), ORIGIN)
    with pytest.raises(CredentialsInvalid):
        await manage.move(over, Principal(role=Role.READER))


async def test_session_has_the_rights_that_its_groups_give_now(store: SqlSessionStore, manage: ManageSessions) -> None:
    session = await manage.start(
        Principal(project=PHYSICS, role=Role.OPERATOR, owner=Owner("ada"), groups=("g", "h")), ORIGIN
    )
    for rights, role in (("g=physics:operator", Role.OPERATOR), ("h=physics:reader,i=physics:operator", Role.READER)):
        assert (await VerifySession(store, parse_groups(rights))(session)).role is role
    for rights in ("g=chemistry:operator,i=physics:reader", ""):
        with pytest.raises(CredentialsInvalid):
            await VerifySession(store, parse_groups(rights))(session)


async def test_session_of_a_key_is_rejected_where_keys_are(
    database: Database, store: SqlSessionStore, manage: ManageSessions
) -> None:
    session = await manage.start(await key_of(database), ORIGIN)
    await VerifySession(store)(session)
    with pytest.raises(CredentialsInvalid):
        await VerifySession(store, keys=False)(session)

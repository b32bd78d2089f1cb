"""What stored keys and projects promise, on PostgreSQL and SQLite."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, update

from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import api_keys
from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName, Role
from ketline.domain.errors import CredentialsInvalid, KeyUnknown, ProjectExists, ProjectUnknown
from ketline.runtime.clock import SystemClock
from ketline.service.access.keys import ManageKeys, NewKey, VerifyKey
from tests.actors import TESTER

TEAM = ProjectName("team-1")
ADA = Owner("ada")
ACTOR = Actor(owner=Owner("me"), key_id="0" * 12, origin="192.0.2.1")
SLACK = timedelta(minutes=1)


@pytest.fixture
def store(database: Database) -> SqlKeyStore:
    return SqlKeyStore(database)


@pytest.fixture
def keys(store: SqlKeyStore) -> ManageKeys:
    return ManageKeys(store)


@pytest.fixture
async def projects(database: Database) -> SqlProjectStore:
    projects = SqlProjectStore(database)
    await projects.add(TEAM, ACTOR)
    return projects


@pytest.fixture
def verify(store: SqlKeyStore) -> VerifyKey:
    return VerifyKey(store, SystemClock())


async def created(keys: ManageKeys, **given: Any) -> NewKey:
    return await keys.create(**{"project": TEAM, "role": Role.SUBMITTER, "owner": ADA, "actor": TESTER, **given})


async def test_new_database_has_the_default_project(database: Database) -> None:
    [project] = await SqlProjectStore(database).projects()
    assert (project.name, datetime.now(UTC) - project.created_at < timedelta(hours=1)) == (DEFAULT_PROJECT, True)


async def test_projects_have_different_names(projects: SqlProjectStore) -> None:
    with pytest.raises(ProjectExists, match="team-1"):
        await projects.add(TEAM, ACTOR)
    assert [project.name for project in await projects.projects()] == [DEFAULT_PROJECT, TEAM]
    assert (await projects.get(TEAM)).name == TEAM
    with pytest.raises(ProjectUnknown, match="ketline projects create nowhere"):
        await projects.get(ProjectName("nowhere"))


async def test_key_stands_for_a_member_of_its_project(
    projects: SqlProjectStore, keys: ManageKeys, verify: VerifyKey
) -> None:
    new = await created(keys, name="laptop", lifetime=timedelta(days=1))
    principal = await verify(new.text)
    assert (principal.project, principal.role, principal.owner) == (TEAM, Role.SUBMITTER, ADA)
    assert (principal.key_id, principal.expires_at) == (new.key.key_id, new.key.expires_at)
    assert new.key.expires_at is not None
    assert abs(new.key.expires_at - datetime.now(UTC) - timedelta(days=1)) < SLACK
    [listed] = await keys.keys(TEAM)
    assert (listed.name, listed.owner, listed.last_used_at is not None) == ("laptop", ADA, True)
    assert await keys.keys(DEFAULT_PROJECT) == []


async def test_nothing_of_a_secret_is_stored(database: Database, projects: SqlProjectStore, keys: ManageKeys) -> None:
    new = await created(keys)
    secret = new.text.rsplit("_", 1)[1]
    assert len(secret) == 64

    def rows(connection: Connection) -> str:
        return repr(connection.execute(api_keys.select()).all())

    stored = await database.read(rows)
    assert secret not in stored
    assert bytes.fromhex(secret).hex() not in stored
    assert secret not in repr(new)


async def test_wrong_secrets_and_ids_are_rejected_alike(
    projects: SqlProjectStore, keys: ManageKeys, verify: VerifyKey
) -> None:
    one, two = await created(keys), await created(keys)
    first, second = one.text.split("_"), two.text.split("_")
    revoked = await created(keys)
    await keys.revoke(revoked.key.key_id, TESTER)
    expired = await created(keys, lifetime=timedelta(seconds=-1))
    wrong = [
        "_".join((first[0], first[1], second[2])),
        "_".join((first[0], "0" * 12, first[2])),
        one.text.upper(),
        one.text[:-1],
        one.text + "0",
        revoked.text,
        expired.text,
        "ktl_",
        "",
    ]
    rejections = set()
    for token in wrong:
        with pytest.raises(CredentialsInvalid) as rejection:
            await verify(token)
        rejections.add(str(rejection.value))
    assert len(rejections) == 1
    await verify(one.text)


async def test_key_of_an_unknown_project_is_not_created(keys: ManageKeys) -> None:
    with pytest.raises(ProjectUnknown):
        await created(keys, project=ProjectName("nowhere"))
    assert await keys.keys() == []


async def test_rotated_key_overlaps_with_the_new_one(
    database: Database, projects: SqlProjectStore, keys: ManageKeys, verify: VerifyKey
) -> None:
    old = await created(keys, name="ci", role=Role.OPERATOR)
    new = await keys.rotate(old.key.key_id, timedelta(hours=1), actor=TESTER)
    assert (new.key.role, new.key.name, new.key.owner, new.key.project) == (Role.OPERATOR, "ci", ADA, TEAM)
    await verify(old.text)
    await verify(new.text)

    def pass_the_hour(connection: Connection) -> None:
        connection.execute(update(api_keys).where(api_keys.c.key_id == old.key.key_id).values(expires_at=from_now(-1)))

    await database.write(pass_the_hour)
    with pytest.raises(CredentialsInvalid):
        await verify(old.text)
    await verify(new.text)


async def test_a_key_that_ends_sooner_is_not_prolonged(projects: SqlProjectStore, keys: ManageKeys) -> None:
    key = (await created(keys, lifetime=timedelta(minutes=5))).key
    await keys.rotate(key.key_id, timedelta(days=30), actor=TESTER)
    assert next(one for one in await keys.keys(TEAM) if one.key_id == key.key_id).expires_at == key.expires_at


async def test_unknown_keys_are_named(keys: ManageKeys) -> None:
    for call in (keys.revoke("0" * 12, TESTER), keys.rotate("0" * 12, timedelta(), actor=TESTER)):
        with pytest.raises(KeyUnknown, match="ketline keys list"):
            await call

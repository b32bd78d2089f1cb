"""What stored devices promise, on PostgreSQL and SQLite."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
from sqlalchemy import func, select

from ketline.db.access import SqlProjectStore
from ketline.db.audit import SqlAuditLog
from ketline.db.devices import SqlDeviceStore
from ketline.db.engine.database import Database, open_database
from ketline.db.schema.tables import device_contents
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName
from ketline.domain.devices.device import Device, device_from_text
from ketline.domain.devices.device_list import entry_of
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.errors import DeviceNotFound, TooManyDevices
from ketline.domain.limits import MAX_DEVICES

TEAM, OTHERS = ProjectName("team-1"), ProjectName("others")
ADA = Actor(owner=Owner("ada"), key_id="0" * 12, origin="192.0.2.1")
BOB = Actor(owner=Owner("bob"), key_id="1" * 12, origin="192.0.2.2")
MINE = replace(generic_devices()["grid-25"], name="mine", description="A device of ours")
CHANGED = replace(MINE, description="Calibrated again", gates=MINE.gates[:-2])


@pytest.fixture
def store(database: Database) -> SqlDeviceStore:
    return SqlDeviceStore(database, TEAM)


async def contents(database: Database) -> int:
    statement = select(func.count()).select_from(device_contents)
    return int(await database.read(lambda connection: connection.execute(statement).scalar_one()))


async def content_of(database: Database, digest: str) -> str:
    statement = select(device_contents.c.content).where(device_contents.c.digest == digest)
    return str(await database.read(lambda connection: connection.execute(statement).scalar_one()))


async def test_device_is_read_as_it_was_stored(store: SqlDeviceStore) -> None:
    entry, created = await store.put(MINE, ADA)
    assert created
    assert entry == replace(entry_of(MINE), owner=ADA.owner, created_at=entry.created_at, updated_at=entry.updated_at)
    assert entry.created_at == entry.updated_at
    assert entry.created_at is not None
    assert datetime.now(UTC) - entry.created_at < timedelta(minutes=1)
    assert await store.content("mine") == MINE.text
    assert device_from_text((await store.content("mine")).encode()) == MINE
    assert list(await store.devices()) == [entry]


async def test_device_is_replaced_by_another_of_its_name(store: SqlDeviceStore) -> None:
    first, _ = await store.put(MINE, ADA)
    entry, created = await store.put(CHANGED, BOB)
    assert not created
    assert (entry.digest, entry.owner, entry.description) == (CHANGED.digest, BOB.owner, "Calibrated again")
    assert (entry.created_at, entry.couplings) == (first.created_at, len(CHANGED.edges))
    assert await store.content("mine") == CHANGED.text
    assert list(await store.devices()) == [entry]


async def test_content_of_a_device_stays_when_it_is_replaced_or_removed(
    store: SqlDeviceStore, database: Database
) -> None:
    await store.put(MINE, ADA)
    await store.put(CHANGED, ADA)
    await store.remove("mine", ADA)
    for device in (MINE, CHANGED):
        assert await content_of(database, device.digest) == device.text


async def test_same_content_again_changes_nothing(store: SqlDeviceStore, database: Database) -> None:
    first, _ = await store.put(MINE, ADA)
    assert await store.put(MINE, BOB) == (first, False)
    assert await contents(database) == 1
    assert len((await SqlAuditLog(database).find(TEAM, None, 100)).entries) == 1


async def test_devices_are_listed_by_name(store: SqlDeviceStore) -> None:
    for name in ("b", "a-1", "B", "a", "a.2"):
        await store.put(replace(MINE, name=name), ADA)
    assert [entry.name for entry in await store.devices()] == ["B", "a", "a-1", "a.2", "b"]


async def test_removed_device_is_not_found(store: SqlDeviceStore) -> None:
    await store.put(MINE, ADA)
    await store.remove("mine", ADA)
    assert list(await store.devices()) == []
    with pytest.raises(DeviceNotFound, match="mine"):
        await store.content("mine")
    with pytest.raises(DeviceNotFound, match="mine"):
        await store.remove("mine", ADA)
    assert (await store.put(MINE, ADA))[1]


async def test_device_of_another_project_is_not_found(store: SqlDeviceStore) -> None:
    theirs = store.within(OTHERS)
    await theirs.put(MINE, BOB)
    assert list(await store.devices()) == []
    for rejected in (store.content("mine"), store.remove("mine", ADA)):
        with pytest.raises(DeviceNotFound) as unknown:
            await rejected
        assert str(unknown.value) == "There is no device 'mine'; `GET /devices` lists all."
    own, created = await store.put(CHANGED, ADA)
    assert created
    assert await theirs.content("mine") == MINE.text
    await theirs.remove("mine", BOB)
    assert list(await store.devices()) == [own]


async def test_two_projects_can_have_the_same_device(store: SqlDeviceStore, database: Database) -> None:
    await store.put(MINE, ADA)
    await store.within(OTHERS).put(MINE, BOB)
    await store.remove("mine", ADA)
    assert await contents(database) == 1
    assert await store.within(OTHERS).content("mine") == MINE.text


async def test_device_is_stored_in_a_project_that_nobody_created(store: SqlDeviceStore, database: Database) -> None:
    """Members of an issuer's groups work in such projects."""
    await store.put(MINE, ADA)
    assert [project.name for project in await SqlProjectStore(database).projects()] == [DEFAULT_PROJECT, TEAM]


async def test_project_has_no_more_devices_than_the_limit(store: SqlDeviceStore, database: Database) -> None:
    small = Device(name="small", qubits=MINE.qubits[:1], gates=())
    for number in range(MAX_DEVICES):
        await store.put(replace(small, name=f"small-{number}"), ADA)
    with pytest.raises(TooManyDevices, match="team-1 has 100 devices"):
        await store.put(MINE, ADA)
    assert await store.put(replace(small, name="small-7", description="other"), ADA)
    await store.within(OTHERS).put(MINE, ADA)
    await store.remove("small-9", ADA)
    await store.put(MINE, ADA)
    assert len(await store.devices()) == MAX_DEVICES


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[list[SqlDeviceStore]]:
    """Two processes on one database."""
    async with open_database(database_url) as first, open_database(database_url) as second:
        yield [SqlDeviceStore(first, TEAM), SqlDeviceStore(second, TEAM)]


async def test_devices_that_are_stored_at_once_are_stored_one_after_the_other(processes: list[SqlDeviceStore]) -> None:
    await SqlProjectStore(processes[0].database).add(TEAM, ADA)
    versions = [replace(MINE, description=f"version {number}") for number in range(20)]
    stored = await asyncio.gather(
        *(process.put(one, ADA) for process, one in zip(cycle(processes), versions, strict=False))
    )
    assert [created for _, created in stored].count(True) == 1
    [last] = await processes[0].devices()
    assert last.digest in {version.digest for version in versions}
    log = await SqlAuditLog(processes[0].database).find(TEAM, None, 100)
    assert log.entries[0].record.notes == last.digest
    assert [entry.record.action for entry in log.entries].count(Action.DEVICE_STORED) == 20


async def test_what_changes_devices_is_recorded(store: SqlDeviceStore, database: Database) -> None:
    await store.put(MINE, ADA)
    await store.put(CHANGED, BOB)
    await store.remove("mine", BOB)
    with pytest.raises(DeviceNotFound):
        await store.remove("mine", ADA)
    entries = (await SqlAuditLog(database).find(TEAM, None, 100)).entries
    assert [entry.record for entry in reversed(entries)] == [
        AuditRecord(action=action, actor=actor, project=TEAM, target="mine", notes=notes)
        for action, actor, notes in (
            (Action.DEVICE_STORED, ADA, MINE.digest),
            (Action.DEVICE_STORED, BOB, CHANGED.digest),
            (Action.DEVICE_REMOVED, BOB, None),
        )
    ]

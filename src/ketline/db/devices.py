"""The devices of projects on a database: rows by project and name, which refer to contents by their digests."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from ketline.db.audit import write_entry
from ketline.db.engine.clock import now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import dialect_of
from ketline.db.schema.tables import device_contents, devices, projects
from ketline.db.schema.visibility import is_of
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName
from ketline.domain.devices.device import Device
from ketline.domain.devices.device_list import DeviceEntry, entry_of, no_device
from ketline.domain.errors import TooManyDevices
from ketline.domain.limits import MAX_DEVICES

_DESCRIBED = ("digest", "description", "num_qubits", "couplings", "gates")


@dataclass(frozen=True, slots=True)
class SqlDeviceStore:
    """The `DeviceStore` on a database."""

    database: Database
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        return replace(self, project=project)

    async def put(self, device: Device, actor: Actor) -> tuple[DeviceEntry, bool]:
        record = self._record(Action.DEVICE_STORED, device.name, actor, device.digest)
        created: list[bool] = []

        def work(connection: Connection) -> Row[Any]:
            _lock(connection, self.project)
            known = connection.execute(self._select(device.name)).one_or_none()
            # If a repeated transaction finds the row, its first run may have stored it.
            created.append(known is None)
            if known is not None and known.digest == device.digest:
                return known
            if known is None:
                self._require_room(connection)
            keep_content(connection, device)
            stored = connection.execute(self._store(device, actor.owner, new=known is None)).one()
            if known is not None:
                _release(connection, known.digest)
            write_entry(connection, record)
            return stored

        return _to_entry(await self.database.write(work)), created[0]

    async def devices(self) -> Sequence[DeviceEntry]:
        statement = select(devices).where(is_of(self.project, devices)).order_by(devices.c.name)
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        return [_to_entry(row) for row in rows]

    async def content(self, name: str) -> str:
        wanted = (devices.c.digest == device_contents.c.digest, devices.c.name == name, is_of(self.project, devices))
        statement = select(device_contents.c.content).where(*wanted)
        found = await self.database.read(lambda connection: connection.execute(statement).scalar_one_or_none())
        if found is None:
            raise no_device(name)
        return str(found)

    async def remove(self, name: str, actor: Actor) -> None:
        record = self._record(Action.DEVICE_REMOVED, name, actor)
        statement = (
            delete(devices).where(devices.c.name == name, is_of(self.project, devices)).returning(devices.c.digest)
        )
        runs = itertools.count()

        def work(connection: Connection) -> None:
            repeated = next(runs) > 0
            digest = connection.execute(statement).scalar_one_or_none()
            if digest is None and not repeated:
                raise no_device(name)
            if digest is not None:
                _release(connection, digest)
                write_entry(connection, record)

        await self.database.write(work)

    def _record(self, action: Action, name: str, actor: Actor, notes: str | None = None) -> AuditRecord:
        return AuditRecord(action=action, actor=actor, project=self.project, target=name, notes=notes)

    def _select(self, name: str) -> Select[Any]:
        return select(devices).where(devices.c.name == name, is_of(self.project, devices))

    def _require_room(self, connection: Connection) -> None:
        counted = select(func.count()).select_from(devices).where(is_of(self.project, devices))
        if connection.execute(counted).scalar_one() >= MAX_DEVICES:
            raise TooManyDevices(
                f"Project {self.project} has {MAX_DEVICES} devices, which is the limit: remove one that is not needed."
            )

    def _store(self, device: Device, owner: Owner | None, *, new: bool) -> Any:
        described = asdict(entry_of(device))
        values = {name: described[name] for name in _DESCRIBED} | {"gates": list(device.gate_names), "owner": owner}
        if new:
            statement = insert(devices).values(project=self.project, name=device.name, created_at=now())
            return statement.values(**values, updated_at=now()).returning(*devices.c)
        changed = update(devices).where(devices.c.name == device.name, is_of(self.project, devices))
        return changed.values(**values, updated_at=now()).returning(*devices.c)


def keep_content(connection: Connection, device: Device) -> None:
    """Stores what a device is, in the transaction of what refers to it; it is then kept for an hour without one."""
    new = dialect_of(connection).insert(device_contents)
    values = {"digest": device.digest, "content": device.text, "used_at": now()}
    # Written anew also where it is stored: a request that is faster would tell that another project has the same.
    written = {"content": new.excluded.content, "used_at": now()}
    used = new.values(values).on_conflict_do_update(index_elements=[device_contents.c.digest], set_=written)
    connection.execute(used)


def _release(connection: Connection, digest: str) -> None:
    """Notes that a device no longer has a content: a task that is being submitted with it may need it for a while."""
    connection.execute(update(device_contents).where(device_contents.c.digest == digest).values(used_at=now()))


def _lock(connection: Connection, project: ProjectName) -> None:
    """Locks the row of a project, so that no other process stores a device meanwhile; creates it if there is none.

    Members of an issuer's groups may work in a project that nobody created.
    """
    new = dialect_of(connection).insert(projects).values(name=project, created_at=now())
    connection.execute(new.on_conflict_do_nothing())
    connection.execute(_row_of(project)).one()


def _row_of(project: ProjectName) -> Select[Any]:
    row = select(projects.c.name).where(projects.c.name == project)
    # FOR NO KEY UPDATE, because a key may be created for the project meanwhile.
    return row.with_for_update(key_share=True)  # guard: device.lock


def _to_entry(row: Row[Any]) -> DeviceEntry:
    return DeviceEntry(
        name=row.name,
        digest=row.digest,
        description=row.description,
        num_qubits=row.num_qubits,
        couplings=row.couplings,
        gates=tuple(row.gates),
        owner=None if row.owner is None else Owner(row.owner),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )

"""Devices in memory, for `ports.devices`; the SQL store has contract tests of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.devices.device import Device
from ketline.domain.devices.device_list import DeviceEntry, entry_of, no_device
from ketline.domain.errors import TooManyDevices
from ketline.domain.limits import MAX_DEVICES

Known = dict[tuple[ProjectName, str], tuple[Device, DeviceEntry]]


@dataclass(frozen=True, slots=True)
class FakeDeviceStore:
    """The devices of all projects, and what the audit log would have."""

    project: ProjectName = DEFAULT_PROJECT
    known: Known = field(default_factory=dict)
    records: list[AuditRecord] = field(default_factory=list)

    def within(self, project: ProjectName) -> Self:
        return replace(self, project=project)

    async def put(self, device: Device, actor: Actor) -> tuple[DeviceEntry, bool]:
        key, now = (self.project, device.name), datetime.now(UTC)
        earlier = self.known.get(key)
        if earlier is not None and earlier[0] == device:
            return earlier[1], False
        if earlier is None and len(await self.devices()) >= MAX_DEVICES:
            raise TooManyDevices(f"Project {self.project} has {MAX_DEVICES} devices.")
        created = now if earlier is None else earlier[1].created_at
        entry = replace(entry_of(device), owner=actor.owner, created_at=created, updated_at=now)
        self.known[key] = device, entry
        self._record(Action.DEVICE_STORED, device.name, actor, device.digest)
        return entry, earlier is None

    async def devices(self) -> Sequence[DeviceEntry]:
        return [entry for (project, _), (_, entry) in sorted(self.known.items()) if project == self.project]

    async def content(self, name: str) -> str:
        return self._device(name).text

    async def remove(self, name: str, actor: Actor) -> None:
        self._device(name)
        del self.known[self.project, name]
        self._record(Action.DEVICE_REMOVED, name, actor)

    def _device(self, name: str) -> Device:
        if (self.project, name) not in self.known:
            raise no_device(name)
        return self.known[self.project, name][0]

    def _record(self, action: Action, name: str, actor: Actor, notes: str | None = None) -> None:
        record = AuditRecord(action=action, actor=actor, project=self.project, target=name, notes=notes)
        self.records.append(record)

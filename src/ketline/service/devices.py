"""The devices of a project beside those that are shipped. Used by the routes of devices, pages and submissions."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.devices.device import Device
from ketline.domain.devices.device_list import DeviceEntry, entry_of, is_possible, is_reserved, no_device
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.errors import DeviceReserved
from ketline.ports.devices.devices import DeviceStore


@dataclass(frozen=True, slots=True)
class ManageDevices:
    """Lists, reads, stores and removes the devices of a project; those that are shipped can only be read."""

    store: DeviceStore

    def within(self, project: ProjectName) -> Self:
        """Return the service for the devices of another project."""
        return replace(self, store=self.store.within(project))

    async def devices(self) -> Sequence[DeviceEntry]:
        """Return all devices: those that are shipped, and those of the project sorted by name.

        Raises:
            DatabaseUnavailable: they could not be read.
        """
        shipped = [entry_of(device, shipped=True) for device in generic_devices().values()]
        return [*shipped, *(entry for entry in await self.store.devices() if not is_reserved(entry.name))]

    async def content(self, name: str) -> str:
        """Return the canonical JSON of a device.

        Raises:
            DeviceNotFound: there is no device of this name.
            DatabaseUnavailable: it could not be read.
        """
        _require_possible(name)
        shipped = generic_devices().get(name)
        return await self.store.content(name) if shipped is None else shipped.text

    async def put(self, device: Device, actor: Actor) -> tuple[DeviceEntry, bool]:
        """Store a device, also instead of one; the second value says whether there was none of its name.

        Raises:
            DeviceReserved: the name belongs to a device that is shipped, or to the simulators.
            TooManyDevices: the project has no room for another device.
            DatabaseUnavailable: the device is not known to be stored.
        """
        _require_free(device.name)
        # It takes tens of milliseconds, and the device keeps it.
        await asyncio.to_thread(lambda: device.digest)
        return await self.store.put(device, actor)

    async def remove(self, name: str, actor: Actor) -> None:
        """Remove a device.

        Raises:
            DeviceReserved: the name belongs to a device that is shipped, or to the simulators.
            DeviceNotFound: there is no device of this name.
            DatabaseUnavailable: it is not known to be removed.
        """
        _require_possible(name)
        _require_free(name)
        await self.store.remove(name, actor)


def _require_free(name: str) -> None:
    if is_reserved(name):
        raise DeviceReserved(f"{name} is shipped with Ketline, and cannot be replaced or removed: use another name.")


def _require_possible(name: str) -> None:
    if not is_possible(name):
        raise no_device(name)

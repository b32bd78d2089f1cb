"""Stores the devices of projects, with their contents."""

from collections.abc import Sequence
from typing import Protocol, Self

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.devices.device import Device
from ketline.domain.devices.device_list import DeviceEntry


class DeviceStore(Protocol):
    """The devices that one project stored, without those that are shipped.

    Every method raises `DatabaseUnavailable` if the database cannot be read or written.
    """

    def within(self, project: ProjectName) -> Self:
        """Return the store for the devices of another project."""
        ...

    async def put(self, device: Device, actor: Actor) -> tuple[DeviceEntry, bool]:
        """Store a device instead of the one of its name, and record who did; the same content again changes nothing.

        The second value says whether there was none of this name.

        Raises:
            TooManyDevices: the project has no room for another device.
        """
        ...

    async def devices(self) -> Sequence[DeviceEntry]:
        """Return all devices, sorted by name."""
        ...

    async def content(self, name: str) -> str:
        """Return the canonical JSON of a device.

        Raises:
            DeviceNotFound: there is no device of this name.
        """
        ...

    async def remove(self, name: str, actor: Actor) -> None:
        """Remove a device, and record who did. Tasks that were submitted with it keep its content.

        Raises:
            DeviceNotFound: there is no device of this name.
        """
        ...

"""The summaries of stored devices that lists show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ketline.domain.access.principals import Owner
from ketline.domain.devices.backend import BACKEND_NAME
from ketline.domain.devices.device import DEVICE_NAME, Device
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.errors import DeviceNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEntry:
    """A device without its content, which `digest` identifies.

    `couplings` is the number of pairs of qubits that have a gate, `gates` are the names of its gates. One that is
    `shipped` has no owner and no times; those of others are the owner of the key that stored it last, when a device of
    this name was first stored, and when this content was.
    """

    name: str
    digest: str
    description: str = ""
    num_qubits: int
    couplings: int
    gates: Sequence[str]
    shipped: bool = False
    owner: Owner | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def entry_of(device: Device, *, shipped: bool = False) -> DeviceEntry:
    """The entry of a device, without owner and times."""
    return DeviceEntry(
        name=device.name,
        digest=device.digest,
        description=device.description,
        num_qubits=device.num_qubits,
        couplings=len(device.edges),
        gates=device.gate_names,
        shipped=shipped,
    )


def is_reserved(name: str) -> bool:
    """Whether no project can store a device of this name: it is shipped, or the simulators have it as a backend."""
    return name == BACKEND_NAME or name in generic_devices()


def is_possible(name: str) -> bool:
    """Whether a device can have this name: others are not looked up."""
    return DEVICE_NAME.fullmatch(name) is not None


def no_device(name: str) -> DeviceNotFound:
    """The error if there is no device of this name."""
    return DeviceNotFound(f"There is no device {name!r}; `GET /devices` lists all.")

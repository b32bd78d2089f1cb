"""The service behind the argument of backends and primitives, and the limits of its tasks."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from qiskit.exceptions import QiskitError

from ketline.client import Client
from ketline.client.task_limits import TaskLimits, limits_of


class Service:
    """A client, and the description of the service's own backend, which is read once, when it is first needed.

    A provider, its backends and their primitives share the description, because a request before each job would take
    as long as a small task. `device` is the name of the device on which circuits run, None for the simulators.
    """

    def __init__(self, client: Client, *, device: str | None = None, described: "Service | None" = None) -> None:
        self.client = client
        self.device = device
        self._described = described

    def on_device(self, name: str) -> "Service":
        """The same service, whose circuits run on a device."""
        return Service(self.client, device=name, described=self)

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """The first backend of `GET /backends`."""
        return self.client.backends()[0] if self._described is None else self._described.description

    @property
    def limits(self) -> TaskLimits:
        """How much one task of this service may send and return, and its most shots."""
        return limits_of(self.description)


def service_of(*given: Any, devices: bool = False) -> Service:
    """The service of the one argument that is not None: a provider, a backend, a client or a URL.

    Without any it is the service at `KETLINE_URL`. Only with `devices` the backend can be a device.

    Raises:
        TypeError: there are several, or it is none of these.
        QiskitError: it is a device.
    """
    found = [each for each in given if each is not None]
    if len(found) > 1:
        raise TypeError("Give one of `service`, `mode` and `backend`: they mean the same.")
    one = found[0] if found else None
    if isinstance(one, Client):
        return Service(one)
    if one is None or isinstance(one, str):
        return Service(Client(one))
    service = getattr(one, "service", None)
    if not isinstance(service, Service):
        raise TypeError("A Ketline primitive needs a KetlineProvider, a KetlineBackend, a Client or a URL.")
    if service.device is not None and not devices:
        raise QiskitError(
            f"This is the device {service.device!r}, and a KetlineBackend is of the simulators: use the device itself."
        )
    return service

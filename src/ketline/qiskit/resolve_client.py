"""The service behind the argument of backends and primitives, and the limits of its tasks."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ketline.client import Client
from ketline.client.task_limits import TaskLimits, limits_of


class Service:
    """A client, and the description of the service's own backend, which is read once, when it is first needed.

    A provider, its backends and their primitives share one, because a request before each job would take as long as a
    small task.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """The first backend of `GET /backends`."""
        return self.client.backends()[0]

    @property
    def limits(self) -> TaskLimits:
        """How much one task of this service may send and return, and its most shots."""
        return limits_of(self.description)


def service_of(*given: Any) -> Service:
    """The service of the one argument that is not None: a provider, a backend, a client or a URL.

    Without any it is the service at `KETLINE_URL`.

    Raises:
        TypeError: there are several, or it is none of these.
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
    return service

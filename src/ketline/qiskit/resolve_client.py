"""The client behind the `service` argument of backends and primitives, and the limits of its service."""

from collections.abc import Mapping
from typing import Any

from ketline.client import Client
from ketline.qiskit.sweeps import TaskLimits

# Only this part of a limit is used for numbers and outcomes; the rest is for everything around them.
_DIVISOR = 2


def client_of(service: Any) -> Client:
    """The client of a provider or backend, the client itself, or a new client of the service at a URL.

    With None it is a client of the service at `KETLINE_URL`.
    """
    if isinstance(service, Client):
        return service
    if service is None or isinstance(service, str):
        return Client(service)
    client = getattr(service, "client", None)
    if not isinstance(client, Client):
        raise TypeError("A Ketline primitive needs a KetlineProvider, a KetlineBackend, a Client or a URL.")
    return client


def description_of(client: Client) -> Mapping[str, Any]:
    """The description of the service's backend, from `GET /backends`."""
    return client.backends()[0]


def limits_of(client: Client) -> TaskLimits:
    """How much one task of this service may send and return."""
    return task_limits(description_of(client))


def task_limits(description: Mapping[str, Any]) -> TaskLimits:
    """As `limits_of`, from the description of the service's backend."""
    limits = description["limits"]
    return TaskLimits(
        input_characters=limits["max_program_bytes"] // _DIVISOR,
        result_characters=(limits["max_result_megabytes"] << 20) // _DIVISOR,
    )

"""From what a user has at hand to a client of a service."""

from collections.abc import Mapping
from typing import Any

from ketline.client import Client
from ketline.qiskit.sweeps import Room

# Room for what is beside the numbers and outcomes.
_SHARE = 2


def client_of(service: Any) -> Client:
    """The client that a provider or backend has, a client itself, or one of the service at a URL.

    Without anything it is one of the service that `KETLINE_URL` names.
    """
    if isinstance(service, Client):
        return service
    if service is None or isinstance(service, str):
        return Client(service)
    client = getattr(service, "client", None)
    if not isinstance(client, Client):
        raise TypeError("A Ketline primitive needs a KetlineProvider, a KetlineBackend, a Client or a URL.")
    return client


def described(client: Client) -> Mapping[str, Any]:
    """What the service runs circuits on, as it tells it."""
    return client.backends()[0]


def room_of(client: Client) -> Room:
    limits = described(client)["limits"]
    return Room(
        asked_characters=limits["max_program_bytes"] // _SHARE,
        answered_characters=(limits["max_result_megabytes"] << 20) // _SHARE,
    )

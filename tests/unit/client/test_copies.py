"""Copies of clients, and clients in other processes."""

import copy
import pickle

import httpx
import pytest

from ketline.client import Client, Retries


def test_copies_are_the_client_itself() -> None:
    """Libraries copy whatever holds a client; a second set of connections would never be closed."""
    with Client("http://ketline.test") as client:
        assert copy.deepcopy([client])[0] is copy.copy(client) is client


def test_pickled_client_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with Client("http://user:hidden@ketline.test:1", api_key="secret", retries=Retries(max_seconds=3.0)) as client:
        written = pickle.dumps(client)
    assert b"hidden" not in written
    assert b"secret" not in written
    monkeypatch.setenv("KETLINE_API_KEY", "other")
    with pickle.loads(written) as read:
        assert read.url == "http://ketline.test:1"
        assert read._flows.retries == Retries(max_seconds=3.0)
        assert read._driver._http.headers["authorization"] == "Bearer other"


def test_client_with_its_own_transport_is_not_pickled() -> None:
    with Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client, pytest.raises(TypeError):
        pickle.dumps(client)

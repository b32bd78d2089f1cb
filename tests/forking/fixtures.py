"""Fixtures with a fork server for each session, for tests that start many processes of one kind; a plugin of pytest."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.backends.remote import FakeRemote
from tests.forking.client import ForkServer

MakeRemote = Callable[..., FakeRemote]


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Forks processes of the service; `test_cli.py`, `test_client.py` and others start services as users do."""
    with ForkServer("tests.forking.launch") as fork_server:
        yield fork_server


@pytest.fixture(scope="session")
def remote_fork_server() -> Iterator[ForkServer]:
    """Forks the processes of fake remote backends."""
    with ForkServer("tests.backends.remote_launch") as fork_server:
        yield fork_server


@pytest.fixture
def make_remote(tmp_path: Path, remote_fork_server: ForkServer) -> MakeRemote:
    """Makes a fake remote backend of these options; its process is forked."""
    return partial(FakeRemote, tmp_path, fork_server=remote_fork_server)

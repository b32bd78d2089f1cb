"""Clients of the running stack, and the key that they send."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

PROJECT = "stack-tests"
_PATIENCE_SECONDS = 90.0
_POLL_SECONDS = 0.1


@pytest.fixture(scope="session")
def anyone() -> Iterator[httpx.Client]:
    """A client of the stack without a key, once the stack is healthy."""
    with httpx.Client(base_url=os.environ["KETLINE_URL"], timeout=10) as client:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _is_healthy(client):
            assert time.monotonic() < deadline, f"{client.base_url} is not healthy after {_PATIENCE_SECONDS:.0f} s"
            time.sleep(_POLL_SECONDS)
        yield client


@pytest.fixture(scope="session")
def key(anyone: httpx.Client) -> Iterator[str]:
    """A submitter's key: that in KETLINE_API_KEY, or one of the project `stack-tests`, which ends with the tests."""
    given = os.environ.get("KETLINE_API_KEY")
    if given:
        yield given
        return
    _ketline("projects", "create", PROJECT, statuses=(0, 2))  # 2: an earlier run has created it
    role = ("--role", "submitter", "--owner", PROJECT)
    made = _ketline("keys", "create", "--project", PROJECT, *role, "--expires", "1h").strip()
    yield made
    _ketline("keys", "revoke", made.split("_")[1])


@pytest.fixture(scope="session")
def client(anyone: httpx.Client, key: str) -> Iterator[httpx.Client]:
    """A client of the healthy stack with a key."""
    with httpx.Client(base_url=anyone.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=10) as client:
        yield client


def _ketline(*arguments: str, statuses: tuple[int, ...] = (0,)) -> str:
    """What a command of the operator prints, on the database of the stack."""
    command = [sys.executable, "-m", "ketline", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in statuses, done.stderr
    return done.stdout


def _is_healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False

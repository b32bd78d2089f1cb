"""Operators manage keys and projects by commands, on the database of a service that runs."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.processes import running_service
from tests.acceptance.programs import BELL
from tests.forking.client import ForkServer

pytestmark = pytest.mark.timeout(300)
KEY = re.compile(r"ktl_[0-9a-f]{12}_[0-9a-f]{64}\n")
REJECTED_WITHIN_SECONDS = 2.0


class Operator:
    """Types commands at the data directory of a service."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def types(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ketline", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.directory,
            env={**os.environ, "KETLINE_DATA_DIR": str(self.directory), **environment},
        )

    def prints(self, *arguments: str, **environment: str) -> str:
        done = self.types(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(tmp_path_factory.mktemp("administration"))


@pytest.fixture(scope="module")
def url(operator: Operator, fork_server: ForkServer) -> Iterator[str]:
    with running_service(operator.directory, fork_server, KETLINE_AUTH="keys") as url:
        yield url


def status(url: str, key: str, path: str = "/tasks") -> int:
    return httpx.get(f"{url}{path}", headers={"Authorization": f"Bearer {key}"}, timeout=30).status_code


def test_first_key_is_one_command_before_the_service_has_ever_run(tmp_path: Path, fork_server: ForkServer) -> None:
    operator = Operator(tmp_path)
    printed = operator.prints("keys", "create", "--role", "administrator", "--owner", "me")
    assert KEY.fullmatch(printed)
    with running_service(tmp_path, fork_server, KETLINE_AUTH="keys") as url:
        assert status(url, printed.strip(), "/workers") == 200


def test_keys_from_creation_to_revocation_while_the_service_runs(operator: Operator, url: str) -> None:
    operator.prints("projects", "create", "optics")
    made = json.loads(
        operator.prints(
            *("keys", "create", "--project", "optics", "--role", "submitter", "--owner", "ada", "--name", "laptop"),
            *("--expires", "90d", "--json"),
        )
    )
    key, key_id = made["key"], made["key_id"]
    assert httpx.post(f"{url}/tasks", json={"qc": BELL}, headers={"Authorization": f"Bearer {key}"}).status_code == 202
    listed = operator.prints("keys", "list")
    row = next(line.split("\t") for line in listed.splitlines() if line.startswith(key_id))
    assert row[1:5] == ["optics", "submitter", "ada", "laptop"]
    assert all(row[5:]), "created, expires and last used"
    assert key.rsplit("_", 1)[1] not in listed + operator.prints("keys", "list", "--json")
    new = operator.prints("keys", "rotate", key_id, "--overlap", "1h").strip()
    assert (status(url, key), status(url, new)) == (200, 200)
    assert operator.prints("keys", "revoke", key_id).strip() == key_id
    began = sent = time.monotonic()
    while status(url, key) != 401:
        # Of a request the time counts at which it was sent: on a busy machine its response takes as long again.
        assert sent - began < REJECTED_WITHIN_SECONDS
        sent = time.monotonic()
    assert status(url, new) == 200
    mine = json.loads(operator.prints("keys", "list", "--project", "optics", "--json"))
    assert [(one["owner"], "expires_at" in one) for one in mine] == [("ada", True), ("ada", False)]
    recorded = [line.split("\t") for line in operator.prints("audit", "--project", "optics").splitlines()]
    assert [(row[1], row[6]) for row in recorded] == [
        (action, "command line") for action in ("key.revoked", "key.rotated", "key.created", "project.created")
    ]
    assert [line.split("\t")[0] for line in operator.prints("projects", "list").splitlines()] == ["default", "optics"]


def test_secret_and_callback_of_a_project(operator: Operator, url: str) -> None:
    operator.prints("projects", "create", "hooked")
    first = operator.prints("projects", "secret", "hooked")
    assert first.startswith("whsec_")
    assert operator.prints("projects", "secret", "hooked") == first
    rotated = json.loads(operator.prints("projects", "secret", "hooked", "--rotate", "--overlap", "1h", "--json"))
    assert (rotated["previous"], "previous_until" in rotated) == (first.strip(), True)
    ended = json.loads(operator.prints("projects", "secret", "hooked", "--rotate", "--overlap", "0s", "--json"))
    assert "previous" not in ended
    assert operator.prints("projects", "secret") != first
    callback = "https://example.org/hooks"
    assert callback in operator.prints("projects", "set", "hooked", "--callback", callback)
    assert callback in operator.prints("projects", "set", "hooked", "--weight", "2")
    assert callback not in operator.prints("projects", "set", "hooked", "--callback", "")
    assert "webhook_secret.rotated" in operator.prints("audit", "--project", "hooked")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("projects", "secret", "nowhere"), "There is no project nowhere"),
        (("projects", "secret", "default", "--rotate", "--overlap", "31d"), "30d at most"),
        (("projects", "set", "default", "--callback", "ftp://example.org"), "https://"),
        (("keys", "create", "--role", "reader", "--owner", "a", "--project", "nowhere"), "There is no project nowhere"),
        (("keys", "create", "--role", "reader", "--owner", "a", "--project", "No Name"), "lower-case letters"),
        (("keys", "create", "--role", "reader", "--owner", " "), "printable"),
        (("keys", "create", "--role", "king", "--owner", "a"), "'king'"),
        (("keys", "create", "--role", "reader", "--owner", "a", "--expires", "soon"), "such as 30m"),
        (("keys", "create", "--role", "reader", "--owner", "a", "--expires", "99999999w"), "at most"),
        (("keys", "list", "--project", "nowhere"), "There is no project nowhere"),
        (("keys", "revoke", "0123456789ab"), "There is no key 0123456789ab"),
        (("keys", "rotate", "0123456789ab"), "There is no key 0123456789ab"),
        (("projects", "create", "default"), "a project default already"),
    ],
)
def test_mistakes_are_named(operator: Operator, arguments: tuple[str, ...], message: str) -> None:
    done = operator.types(*arguments, COLUMNS="400")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_directory_that_cannot_be_used_is_named(operator: Operator) -> None:
    (operator.directory / "file").touch()
    done = operator.types("keys", "list", "--data-dir", "file")
    assert (done.returncode, "KETLINE_DATA_DIR" in done.stderr) == (2, True)


async def test_distributed_service_has_keys_in_its_own_database(operator: Operator, postgres_url: str) -> None:
    operator.prints("projects", "create", "remote", DATABASE_URL=postgres_url)
    listed = operator.prints("projects", "list", DATABASE_URL=postgres_url)
    assert [line.split("\t")[0] for line in listed.splitlines()] == ["default", "remote"]
    own = operator.prints("projects", "list", "--data-dir", str(operator.directory), DATABASE_URL=postgres_url)
    assert "remote" not in own


def test_quota_that_is_set_holds_within_two_seconds(operator: Operator, url: str) -> None:
    operator.prints("projects", "create", "limited")
    created = operator.prints("keys", "create", "--project", "limited", "--role", "submitter", "--owner", "ada")
    quotas = ("--quota", "shots_per_day=30", "--owner-quota", "priority=0")
    shown = operator.prints("projects", "set", "limited", "--weight", "2.5", *quotas)
    assert shown.split() == ["project", "weight", "2.5", "project", "shots_per_day", "30", "owner", "priority", "0"]
    headers, body = {"Authorization": f"Bearer {created.strip()}"}, {"qc": BELL, "shots": 10}
    began = sent = time.monotonic()
    while httpx.post(f"{url}/tasks", headers=headers, json={**body, "priority": 1}).status_code == 202:
        assert sent - began < REJECTED_WITHIN_SECONDS
        sent = time.monotonic()
    responses = [httpx.post(f"{url}/tasks", headers=headers, json=body) for _ in range(4)]
    assert [response.status_code for response in responses] == [202, 202, 202, 429]
    assert responses[-1].json()["quota"] == "shots_per_day"
    assert operator.types("projects", "set", "limited", "--quota", "colour=1").returncode == 2
    for weight in ("0", "-1", "1001", "nan", "much"):
        assert operator.types("projects", "set", "limited", f"--weight={weight}").returncode == 2

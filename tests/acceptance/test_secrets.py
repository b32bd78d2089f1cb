"""No secret of a key or a session is in clear in a log, a response, the database or the surroundings of a process.

A service runs with keys, which are used rightly and wrongly; then everything that it left is searched.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, select

from ketline.db.engine.database import open_database
from ketline.db.schema.tables import metadata
from ketline.domain.access.principals import Role
from tests.acceptance.programs import BELL
from tests.acceptance.projects import SharedService, distributed_shared_service, shared_service
from tests.servers import RabbitServer

pytestmark = pytest.mark.timeout(300)
UNKNOWN = f"ktl_{'0f' * 6}_{'ab01' * 16}"
CRASHING = "OPENQASM 3.0; qubit[70] q; h q;"


class Searched:
    """All that a service showed and left, by where it was."""

    def __init__(self, service: SharedService) -> None:
        self.service = service
        self.found: dict[str, bytes] = {}

    def response(self, answer: httpx.Response) -> httpx.Response:
        """Remember a response, also its headers; without the cookies, which browsers have to get."""
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.multi_items() if name != "set-cookie")
        self.found[f"response {len(self.found)} to {answer.request.method}"] = headers.encode() + answer.content
        return answer

    def files(self) -> None:
        """Take what is on the disk: the logs, and the embedded service's database with its write-ahead log."""
        for path in self.service.directory.rglob("*"):
            if path.is_file():
                self.found[str(path)] = path.read_bytes()

    def rows(self) -> None:
        """Take every row of the database."""
        self.found["database"] = asyncio.run(_rows_of(self.service.database_url))

    def processes(self) -> None:
        """Take the command lines and environments of the service and its children."""
        for pid in [self.service.pid, *_children(self.service.pid)]:
            for name in ("cmdline", "environ"):
                with suppress(OSError):  # a process that ended, or whose environment nobody may read
                    self.found[f"{name} of {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes()

    def places_of(self, secret: str) -> Sequence[str]:
        """Where a secret is, as it is written or as the bytes that it stands for."""
        written = [secret.encode(), *([bytes.fromhex(secret)] if len(secret) == 64 else [])]
        return [place for place, text in self.found.items() if any(one in text for one in written)]


async def _rows_of(database_url: str) -> bytes:
    def rows(connection: Connection) -> bytes:
        values = (
            value for table in metadata.sorted_tables for row in connection.execute(select(table)) for value in row
        )
        return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)

    async with open_database(database_url) as database:
        return await database.read(rows)


def _children(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            for child in map(int, (thread / "children").read_text().split()):
                yield child
                yield from _children(child)


def test_secrets_are_nowhere_in_clear(tmp_path: Path) -> None:
    _assert_hidden(shared_service(tmp_path))


@pytest.mark.long
def test_secrets_of_a_distributed_service_are_nowhere_in_clear(
    tmp_path: Path, postgres_url: str, rabbit_server: RabbitServer
) -> None:
    _assert_hidden(distributed_shared_service(tmp_path, None, postgres_url, rabbit_server.url))


def _assert_hidden(running: AbstractContextManager[SharedService]) -> None:
    """Use and misuse keys and a session, and look for their secrets in all that the service showed and left."""
    with running as service:
        key, other = service.key("optics", Role.OPERATOR), service.key("optics", Role.READER)
        searched = Searched(service)
        cookies = _use(service, searched, key)
        _misuse(service, searched, key, other)
        searched.files()
        searched.rows()
        searched.processes()
        assert {"response", "database", "cmdline", "environ"} <= {place.split()[0] for place in searched.found}
        assert "database" in searched.places_of(key.split("_")[1]), "the id of a key is no secret"
    searched.files()  # with what was written at the stop
    secrets = [one.rpartition("_")[2] for one in (key, other, UNKNOWN)]
    assert {secret: places for secret in secrets if (places := searched.places_of(secret))} == {}
    assert {cookie: places for cookie in cookies if (places := searched.places_of(cookie))} == {}


def _use(service: SharedService, searched: Searched, key: str) -> Sequence[str]:
    """Tasks that complete and fail, errors, pages, and a session; returns the secrets of the cookies."""
    with service.client(key) as client:
        for program in (BELL, "nonsense", CRASHING):
            task = searched.response(client.post("/tasks", json={"qc": program}, headers={"Prefer": "wait=60"})).json()
            for path in ("", "/events", "/counts", "/circuit?format=svg"):
                searched.response(client.get(f"/tasks/{task['task_id']}{path}"))
            searched.response(client.get(f"/ui/tasks/{task['task_id']}"))
        for path in ("/tasks", "/workers", "/ui/system", "/whoami", "/keys", "/openapi.json", "/tasks/none", "/none"):
            searched.response(client.get(path))
        searched.response(client.post("/tasks", content=b"{"))
    with httpx.Client(base_url=service.url, timeout=60) as browser:
        form = searched.response(browser.get("/ui/sign-in")).text
        csrf = form.partition('name="csrf_token" value="')[2].partition('"')[0]
        searched.response(browser.post("/ui/sign-in", data={"key": UNKNOWN, "next": "", "csrf_token": csrf}))
        signed = searched.response(browser.post("/ui/sign-in", data={"key": key, "next": "", "csrf_token": csrf}))
        assert signed.status_code == 303, signed.text
        searched.response(browser.get("/ui/tasks"))
        return [token.rpartition("_")[2] for name, token in browser.cookies.items() if name == "ketline_session"]


def _misuse(service: SharedService, searched: Searched, key: str, other: str) -> None:
    """Keys that are rejected, and keys where none belong."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for headers in (
            {"Authorization": f"Bearer {UNKNOWN}"},
            {"Authorization": f"Bearer {key}x"},
            {"Authorization": f"Bearer {key[:-1]}{'0' if key[-1] != '0' else '1'}"},
            {"Authorization": f"Basic {key}"},
            {"Authorization": key},
            {"X-API-Key": key},
            {"Cookie": f"ketline_session={key}"},
        ):
            for method, path in (("GET", "/tasks"), ("POST", "/tasks"), ("GET", "/ui/tasks"), ("GET", "/none")):
                response = client.request(method, path, headers=headers)
                assert response.status_code in {303, 401, 404, 405}
                searched.response(response)
        searched.response(client.post("/tasks", json={}, headers={"Authorization": f"Bearer {other}"}))
        for path in (f"/tasks?key={key}", f"/{key}", f"/tasks/{key}", f"/ui/{key}", f"/{key}?{other}"):
            client.get(path)  # the response may repeat the address to the one who sent it

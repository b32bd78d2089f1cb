"""A real service, and clients that send too much, too slowly, or nothing at all; deadlines are short here."""

import json
import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import running_process
from tests.acceptance.programs import BELL

HEAD_SECONDS = 1.0
BODY_SECONDS = 1.5
IDLE_SECONDS = 1.5
WRITE_SECONDS = 1.5
MAX_CONNECTIONS = 20
SILENT_CONNECTIONS = 2000
MEMORY_MB = 8
# A machine under load may be late; what is never done takes longer than this.
LATE_SECONDS = 15.0
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Service:
    url: str
    pid: int
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        client = socket.socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(LATE_SECONDS)
        client.connect(("127.0.0.1", self.port))
        return client

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("service")
    environment = {
        "KETLINE_HEADER_TIMEOUT_S": str(HEAD_SECONDS),
        "KETLINE_BODY_TIMEOUT_S": str(BODY_SECONDS),
        "KETLINE_IDLE_TIMEOUT_S": str(IDLE_SECONDS),
        "KETLINE_WRITE_TIMEOUT_S": str(WRITE_SECONDS),
        "KETLINE_REQUEST_MEMORY_MB": str(MEMORY_MB),
        "KETLINE_WORKER_SLOTS": "1",
        "KETLINE_LOG_FORMAT": "json",
    }
    with running_process(directory, **environment) as (url, pid):
        yield Service(url, pid, directory / "log")


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """All that comes until the server closes, as one answer."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while part := client.recv(1 << 16):
            received += part
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body


def ask_livez(client: socket.socket) -> None:
    """One request with its answer, on a connection that stays open."""
    client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    received = b""
    while not received.endswith(b"}"):
        received += client.recv(1 << 16)
    assert received.startswith(b"HTTP/1.1 200 OK")


def problem(client: socket.socket) -> tuple[int, str]:
    """Status and code of the problem document that comes before the server closes."""
    status, headers, body = answer(client)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    document: dict[str, Any] = json.loads(body)
    assert document["status"] == status
    return status, document["code"]


def send_until_answered(client: socket.socket, part: bytes, most: int) -> int:
    """Send the part again and again until something comes back; how many bytes that took."""
    client.setblocking(False)
    sent = 0
    deadline = time.monotonic() + LATE_SECONDS
    while sent < most and time.monotonic() < deadline:
        with suppress(BlockingIOError):
            sent += client.send(part)
        with suppress(BlockingIOError):
            if client.recv(1, socket.MSG_PEEK):
                break
    client.settimeout(LATE_SECONDS)
    return sent


@pytest.mark.parametrize(
    ("opening", "part"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"a" * 4096),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"a" * 4096),
        (b"GET /", b"a" * 4096),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"a:b\r\n" * 100),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ", b"a"),
    ],
    ids=["value", "name", "target", "many", "byte by byte"],
)
def test_headers_without_end_are_answered_431(service: Service, opening: bytes, part: bytes) -> None:
    before = service.resident_mb()
    with service.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(opening)
        sent = send_until_answered(client, part, 64 << 20)
        if len(opening) + sent < HEAD_BYTES and part == b"a":
            assert problem(client) == (408, "request_timeout")  # so slow that time is up before the space is
        else:
            assert problem(client) == (431, "headers_too_large")
    assert sent < 16 << 20
    assert service.resident_mb() - before < 20


@pytest.mark.parametrize(("size", "status"), [(HEAD_BYTES - 1, 200), (HEAD_BYTES + 1, 431)])
def test_headers_have_64_kib_together(service: Service, size: int, status: int) -> None:
    lines = [b"Host: localhost\r\n", b"Connection: close\r\n"]
    counted = len(b"/livez") + sum(map(len, lines)) + len(b"X: \r\n")
    filler = b"X: " + b"a" * (size - counted) + b"\r\n"
    with service.connect() as client:
        client.sendall(b"GET /livez HTTP/1.1\r\n" + b"".join(lines) + filler + b"\r\n")
        assert answer(client)[0] == status


def test_256_headers_are_taken_and_257_are_not(service: Service) -> None:
    def status(number: int) -> int:
        others = b"".join(b"X-%d: 1\r\n" % place for place in range(number - 2))
        with service.connect() as client:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + others + b"\r\n")
            return answer(client)[0]

    assert (status(256), status(257)) == (200, 431)


def test_eight_endless_headers_do_not_keep_others_waiting(service: Service) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(service.connect()) for _ in range(8)]
        for client in clients:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ")
            client.setblocking(False)
        slowest = 0.0
        with httpx.Client(base_url=service.url) as http:
            for _ in range(20):
                for client in clients:
                    with suppress(OSError):
                        client.send(b"a" * (1 << 20))
                began = time.monotonic()
                assert http.get("/livez").status_code == 200
                slowest = max(slowest, time.monotonic() - began)
    assert slowest < 2


def test_slow_headers_are_answered_408(service: Service) -> None:
    began = time.monotonic()
    with service.connect() as client:
        client.sendall(b"GET /livez HTTP/1.1\r\n")
        client.settimeout(0.2)
        while True:
            try:
                client.recv(1, socket.MSG_PEEK)
                break
            except TimeoutError:
                client.sendall(b"X: 1\r\n")  # however often some of it comes
        client.settimeout(LATE_SECONDS)
        assert problem(client) == (408, "request_timeout")
    assert HEAD_SECONDS * 0.9 < time.monotonic() - began < LATE_SECONDS


@pytest.mark.parametrize("length", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_slow_body_is_answered_408(service: Service, length: bytes) -> None:
    began = time.monotonic()
    with service.connect() as client:
        client.sendall(b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        client.sendall(length + b"\r\n\r\n")
        client.settimeout(0.2)
        while True:
            try:
                client.recv(1, socket.MSG_PEEK)
                break
            except TimeoutError:
                client.sendall(b" " if b"Length" in length else b"1\r\n \r\n")
        client.settimeout(LATE_SECONDS)
        assert problem(client) == (408, "request_timeout")
    assert BODY_SECONDS * 0.9 < time.monotonic() - began < LATE_SECONDS


def test_thousands_of_silent_connections_are_closed(service: Service) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, SILENT_CONNECTIONS + 500)), hard))
    with ExitStack() as stack:
        clients = [stack.enter_context(service.connect()) for _ in range(SILENT_CONNECTIONS)]
        began = time.monotonic()
        assert httpx.get(f"{service.url}/livez").status_code == 200
        assert [client.recv(1) for client in clients] == [b""] * SILENT_CONNECTIONS
        assert time.monotonic() - began < LATE_SECONDS


def test_connections_beyond_the_most_are_answered_503(tmp_path: Path) -> None:
    environment = {"KETLINE_MAX_CONNECTIONS": str(MAX_CONNECTIONS), "KETLINE_WORKER_SLOTS": "1"}
    with running_process(tmp_path, **environment) as (url, pid), ExitStack() as stack:
        service = Service(url, pid, tmp_path / "log")
        clients = [stack.enter_context(service.connect()) for _ in range(MAX_CONNECTIONS + 1)]
        assert problem(clients[-1]) == (503, "too_many_connections")
        clients[0].sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer(clients[0])[0] == 200


def test_idle_connection_is_closed_after_its_answer(service: Service) -> None:
    with service.connect() as client:
        ask_livez(client)
        began = time.monotonic()
        assert client.recv(1) == b""
        assert IDLE_SECONDS * 0.9 < time.monotonic() - began < LATE_SECONDS


def test_line_ends_between_requests_keep_no_connection_open(service: Service) -> None:
    with service.connect() as client:
        ask_livez(client)
        client.sendall(b"\r\n")
        assert client.recv(1) == b""


def submission(program: str = BELL) -> bytes:
    return json.dumps({"qc": program}).encode()


def test_client_that_expects_100_continue_is_told_to_go_on(service: Service) -> None:
    body = submission()
    with service.connect() as client:
        client.sendall(
            b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert client.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert answer(client)[0] == 202


def test_client_that_expects_100_continue_is_spared_a_body_that_is_too_large(service: Service) -> None:
    with service.connect() as client:
        client.sendall(
            b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n"
        )
        assert problem(client) == (413, "body_too_large")


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_body_that_is_too_large_is_answered_413_while_it_is_sent(service: Service, chunked: bool) -> None:
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 100000000"
    part = b" " * 65536
    part = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
    with service.connect() as client:
        client.sendall(b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        client.sendall(length + b"\r\n\r\n")
        for _ in range(200):
            with suppress(ConnectionError):
                client.sendall(part)
        assert problem(client) == (413, "body_too_large")


def test_pipelined_requests_are_answered_in_order(service: Service) -> None:
    with service.connect() as client:
        client.sendall(
            b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
            b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
            b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        received = b""
        while part := client.recv(1 << 16):
            received += part
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"404", b"200"]


def test_what_is_rejected_behind_a_request_leaves_its_answer_whole(service: Service) -> None:
    task_id = httpx.post(f"{service.url}/tasks", json={"qc": BELL}).json()["task_id"]
    with service.connect() as client:
        client.sendall(
            b"GET /tasks/%b?wait=20 HTTP/1.1\r\nHost: localhost\r\n\r\nnothing that is HTTP\r\n\r\n" % task_id.encode()
        )
        status, _, body = answer(client)
    assert status == 200
    assert json.loads(body)["task_id"] == task_id


def test_garbage_is_answered_400(service: Service) -> None:
    with service.connect() as client:
        client.sendall(b"nothing that is HTTP\r\n\r\n")
        assert problem(client) == (400, "bad_request")


def test_streams_and_long_polls_outlast_every_deadline(service: Service) -> None:
    scheduled = {"qc": BELL, "scheduled_for": "2027-06-01T00:00:00Z"}
    task_id = httpx.post(f"{service.url}/tasks", json=scheduled).json()["task_id"]
    longest = max(HEAD_SECONDS, BODY_SECONDS, IDLE_SECONDS, WRITE_SECONDS)
    with service.connect() as stream, service.connect() as poll:
        stream.sendall(b"GET /tasks/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in stream.recv(1 << 16)
        poll.sendall(b"GET /tasks/%b?wait=%d HTTP/1.1\r\n" % (task_id.encode(), 3 * longest))
        poll.sendall(b"Host: localhost\r\nConnection: close\r\n\r\n")
        status, _, body = answer(poll)
        assert (status, json.loads(body)["status"]) == (200, "pending")
        httpx.post(f"{service.url}/tasks/{task_id}/cancel")
        while b"cancelled" not in (part := stream.recv(1 << 16)):
            assert part


def test_client_that_reads_nothing_is_cut_off(service: Service) -> None:
    page = httpx.get(f"{service.url}/docs").text
    script = next(found for found in re.findall(r'src="([^"]+)"', page) if "bundle" in found)
    size = len(httpx.get(f"{service.url}/{script}").content)
    with service.connect(receive_buffer=4096) as client:
        # Several, because the systems on both sides hold some megabytes that nobody has read.
        client.sendall(10 * (b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % script.encode()))
        time.sleep(2.5 * WRITE_SECONDS)
        _, _, body = answer(client)
    assert len(body) < 10 * size


def test_unfinished_bodies_have_a_budget(service: Service) -> None:
    body = b" " * (1 << 20)
    with ExitStack() as stack:
        clients = [stack.enter_context(service.connect()) for _ in range(MEMORY_MB + 2)]
        for client in clients:
            client.sendall(b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            client.sendall(b"Content-Length: 2000000\r\n\r\n")
            client.sendall(body)
        found = [problem(client) for client in clients]
    assert (503, "request_memory_full") in found
    assert (408, "request_timeout") in found
    assert httpx.post(f"{service.url}/tasks", json={"qc": BELL}).status_code == 202


def test_upload_that_is_broken_off_is_no_error(service: Service) -> None:
    for _ in range(5):
        with service.connect() as client:
            client.sendall(b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            client.sendall(b"Content-Length: 1000\r\n\r\n{")
    deadline = time.monotonic() + LATE_SECONDS
    while (aborted := _lines(service, "http.aborted")) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert aborted == 5
    assert _lines(service, "http.failed") == 0


def _lines(service: Service, event: str) -> int:
    return sum(f'"event":"{event}"' in line.replace(": ", ":") for line in service.log.read_text().splitlines())

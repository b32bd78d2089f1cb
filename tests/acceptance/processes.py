"""Real `ketline` processes, started and ended as an operator would, and a client's view of them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from ketline.config import variables
from ketline.older_variables import OLDER_VARIABLES
from tests.forking.client import BlockingProcess, ForkedProcess, ForkServer
from tests.forking.template import is_template
from tests.servers.ports import free_ports
from tests.signals import send_signal

T = TypeVar("T")
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.02
SERVICE_COMMANDS = ("up", "api", "worker", "migrate")


async def eventually(
    look: Callable[[], Awaitable[T | None]],
    what: str,
    seconds: float = PATIENCE_SECONDS,
    *,
    pause_seconds: float = POLL_SECONDS,
) -> T:
    """What `look` gives once it is neither None nor False; the state is another process's, so it is polled."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(pause_seconds)
    return found


class KetlineProcess:
    """One `ketline` process; its output goes to a file that tests read."""

    def __init__(self, process: asyncio.subprocess.Process | ForkedProcess, output: Path) -> None:
        self.process = process
        self.output = output

    @property
    def pid(self) -> int:
        return self.process.pid

    def log_lines(self) -> list[dict[str, Any]]:
        """The JSON lines logged so far; a last line that is still being written is left for the next look."""
        written = self.output.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in written.splitlines() if line.startswith("{")]

    async def logged(self, event: str, **keys: object) -> dict[str, Any]:
        """The first line of this event with these keys, waiting for it."""

        async def look() -> dict[str, Any] | None:
            for line in self.log_lines():
                if line["event"] == event and all(line.get(key) == value for key, value in keys.items()):
                    return line
            assert self.process.returncode is None, self.output.read_text()
            return None

        return await eventually(look, f"{event} {keys} in {self.output.read_text()[-2000:]}")

    async def kill(self) -> None:
        """SIGKILL, as the out-of-memory killer does it."""
        self.process.kill()
        await self.process.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and give its exit status."""
        if self.process.returncode is None:
            send_signal(self.process, number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    async def simulators(self) -> list[int]:
        return self.children()

    def children(self) -> list[int]:
        """Process ids of its simulators."""
        found: list[int] = []
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):  # a thread that ended since it was listed
                found += map(int, (thread / "children").read_text().split())
        return [pid for pid in found if not is_template(pid)]


class Fleet:
    """Starts processes with one environment and ends those still alive.

    With a fork server the processes of a service are forked, all others and those with an outlet are not. Forked ones
    have imported what any process imports.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], *, fork_server: ForkServer | None = None
    ) -> None:
        self.directory = directory
        self.fork_server = fork_server
        older = {variable.name for variable in OLDER_VARIABLES}
        ours = {name for names in variables().values() for name in names} | {"KETLINE_URL"} | older
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        # Tests hold the slots with endless programs and count on the others to wait.
        no_short_slot = {"KETLINE_SHORT_TASK_S": "0"}
        # A program of seconds takes minutes on a busy machine; tests about these limits set their own.
        time_limits = {"TASK_SOFT_TIME_LIMIT_S": "600", "TASK_TIME_LIMIT_S": "600"}
        logs = {"KETLINE_LOG_FORMAT": "json", "KETLINE_LOG_LEVEL": "debug"}
        self.environment = {**inherited, **no_short_slot, **time_limits, **logs, **environment}
        self.processes: list[KetlineProcess] = []

    async def start(self, *arguments: str, **environment: str) -> KetlineProcess:
        output = self._output(arguments)
        with output.open("w") as file:
            if self.fork_server is None or arguments[0] not in SERVICE_COMMANDS:
                return await self._launch(arguments, output, file.fileno(), environment)
            forked = await self.fork_server.fork(
                self.directory, arguments, {**self.environment, **environment}, file.fileno()
            )
        return self._add(forked, output)

    async def start_with_outlet(self, descriptor: int, *arguments: str) -> KetlineProcess:
        """Start one that prints and logs to this file descriptor; it has no log to look at."""
        return await self._launch(arguments, self._output(arguments), descriptor, {})

    def _output(self, arguments: Sequence[str]) -> Path:
        return self.directory / f"{arguments[0]}-{uuid4().hex[:8]}.log"

    async def _launch(
        self, arguments: Sequence[str], output: Path, descriptor: int, environment: Mapping[str, str]
    ) -> KetlineProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ketline",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=self.directory,
            env={**self.environment, **environment},
        )
        return self._add(process, output)

    def _add(self, process: asyncio.subprocess.Process | ForkedProcess, output: Path) -> KetlineProcess:
        self.processes.append(KetlineProcess(process, output))
        return self.processes[-1]

    async def end(self) -> None:
        for process in self.processes:
            if process.process.returncode is None:
                await process.kill()


class Api:
    """A client of one running service."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def submit(self, program: str, **fields: object) -> str:
        response = await self.http.post("/tasks", json={"qc": program, **fields})
        assert response.status_code == 202, response.text
        return str(response.json()["task_id"])

    async def task(self, task_id: str) -> dict[str, Any]:
        response = await self.http.get(f"/tasks/{task_id}")
        assert response.status_code == 200, response.text
        task: dict[str, Any] = response.json()
        return task

    async def reached(self, task_id: str, *statuses: str) -> dict[str, Any]:
        """The task once its status is one of these."""

        async def look() -> dict[str, Any] | None:
            try:
                task = await self.task(task_id)
            except httpx.HTTPError:
                return None
            return task if task["status"] in statuses else None

        return await eventually(look, f"task {task_id} {statuses}")

    async def ended(self, task_id: str) -> dict[str, Any]:
        return await self.reached(task_id, "completed", "failed", "cancelled")

    async def healthy(self) -> bool:
        try:
            return (await self.http.get("/health")).status_code == 200
        except httpx.HTTPError:
            return False


@asynccontextmanager
async def api_at(port: int) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        yield Api(http)


async def wait_until_healthy(api: Api) -> None:
    await eventually(api.healthy, "a healthy service")


async def kill_at_work(process: KetlineProcess) -> None:
    """SIGKILL the simulator of a process with one slot, once it has worked on a program for a while.

    That is when it has used a good part of a second of processor time since it was ready.
    """
    [pid] = await eventually(process.simulators, "a simulator")
    await process.logged("simulator.ready", pid=pid)
    before = _processor_seconds(pid)

    async def at_work() -> bool:
        return _processor_seconds(pid) - before > 0.3

    await eventually(at_work, f"process {pid} at work")
    os.kill(pid, signal.SIGKILL)


def _processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_service(directory: Path, fork_server: ForkServer | None = None, /, **environment: str) -> Iterator[str]:
    """The address of an embedded service with its data in `directory`; it must not have had a defect when it ends.

    With a fork server it is forked, otherwise started as a user does.
    """
    with running_process(directory, fork_server, **environment) as (url, _):
        yield url


@contextmanager
def running_process(
    directory: Path, fork_server: ForkServer | None = None, /, **environment: str
) -> Iterator[tuple[str, int]]:
    """As `running_service`, with the process's id; its output is the file `log` in `directory`."""
    arguments = ["up", "--data-dir", str(directory), "--port", "0"]
    log = directory / "log"
    with _running(directory, fork_server, arguments, log, environment) as process:
        yield _printed_url(process, log), process.pid


@contextmanager
def running_api_and_worker(
    directory: Path, fork_server: ForkServer | None = None, /, **environment: str
) -> Iterator[tuple[str, int]]:
    """As `running_process`, of an API and a worker on the database and the broker in the environment.

    The process is the API's; the worker's output is the file `worker.log`.
    """
    port = any_port()
    url = f"http://127.0.0.1:{port}"
    with (
        _running(directory, fork_server, ["api", "--port", str(port)], directory / "log", environment) as api,
        _running(directory, fork_server, ["worker"], directory / "worker.log", environment),
    ):
        _wait_for_worker(api, url)
        yield url, api.pid


@contextmanager
def _running(
    directory: Path,
    fork_server: ForkServer | None,
    arguments: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
) -> Iterator[BlockingProcess | subprocess.Popen[bytes]]:
    complete = {**os.environ, **environment}
    with log.open("w") as output:
        process: BlockingProcess | subprocess.Popen[bytes]
        if fork_server is not None:
            process = fork_server.fork_blocking(directory, arguments, complete, output.fileno())
        else:
            command = [sys.executable, "-m", "ketline", *arguments]
            process = subprocess.Popen(command, stdout=output, stderr=output, cwd=directory, env=complete)
    try:
        yield process
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)
    assert "Traceback" not in log.read_text()


def _wait_for_worker(api: BlockingProcess | subprocess.Popen[bytes], url: str) -> None:
    """Wait until `/health` says that a worker polls."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while api.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health").status_code == httpx.codes.OK:
                return
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"{url} is not healthy")


def _printed_url(process: BlockingProcess | subprocess.Popen[bytes], log: Path) -> str:
    """The address that the service prints when it listens."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        for line in log.read_text().splitlines(keepends=True):
            if line.startswith("Ketline") and line.endswith("\n"):
                return next(word for word in line.split() if word.startswith("http")).rstrip(";")
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"the service does not listen: {log.read_text()}")


def any_port() -> int:
    return free_ports(1)[0]

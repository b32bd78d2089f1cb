"""Processes of a fork server have output, exit status and end as those that were started by themselves."""

import asyncio
import os
import select
import signal
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.acceptance.processes import KetlineProcess
from tests.forking.client import ForkServer


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.mark.parametrize(
    ("argument", "status", "text"), [("version", 0, version("ketline")), ("no-command", 2, "no-command")]
)
async def test_process_has_its_output_and_exit_status(
    fork_server: ForkServer, output: Path, argument: str, status: int, text: str
) -> None:
    with output.open("w") as file:
        process = await fork_server.fork(output.parent, [argument], os.environ, file.fileno())
    assert await process.wait() == process.returncode == status
    assert text in await asyncio.to_thread(output.read_text)


async def test_killed_process_has_the_status_of_its_signal(fork_server: ForkServer, output: Path) -> None:
    with output.open("w") as file:
        process = await fork_server.fork(output.parent, ["up", "--port", "0"], os.environ, file.fileno())
    assert process.returncode is None
    process.kill()
    assert await process.wait() == -signal.SIGKILL


def test_processes_end_with_their_fork_server(output: Path) -> None:
    with ForkServer("tests.forking.launch") as fork_server, output.open("w") as file:
        process = fork_server.fork_blocking(output.parent, ["up", "--port", "0"], os.environ, file.fileno())
        descriptor = os.pidfd_open(process.pid)
    assert select.select([descriptor], [], [], 60)[0] == [descriptor]
    os.close(descriptor)
    process.close()


async def test_simulators_are_confined_children_of_their_service_and_end_with_it(
    fork_server: ForkServer, output: Path
) -> None:
    with output.open("w") as file:
        arguments = ["up", "--data-dir", str(output.parent / "data"), "--port", "0"]
        environment = {**os.environ, "KETLINE_LOG_FORMAT": "json", "KETLINE_LOG_LEVEL": "debug"}
        forked = await fork_server.fork(output.parent, arguments, environment, file.fileno())
    service = KetlineProcess(forked, output)
    pid = (await service.logged("simulator.ready"))["pid"]
    assert pid in service.children()
    # A seccomp filter is installed, and no privileges can be gained.
    assert (_status(pid)["Seccomp"], _status(pid)["NoNewPrivs"]) == ("2", "1")
    [template] = _children(service.pid) - {*service.children()}
    ends = [os.pidfd_open(one) for one in (template, *service.children())]
    await service.kill()
    for end in ends:
        assert select.select([end], [], [], 60)[0] == [end]
        os.close(end)


def _status(pid: int) -> Mapping[str, str]:
    """What proc_pid_status(5) says of a process."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def _children(pid: int) -> set[int]:
    """The processes that the main thread of this one has started or adopted."""
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

"""Processes of a fork server have output, exit status and end as those that were started by themselves."""

import asyncio
import os
import select
import signal
from importlib.metadata import version
from pathlib import Path

import pytest

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

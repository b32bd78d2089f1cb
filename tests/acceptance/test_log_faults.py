"""Nobody reads the log, its reader is gone, its disk is full: work continues."""

import asyncio
import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import api_at, eventually, wait_until_healthy
from tests.acceptance.programs import BELL
from tests.blocks import long_after

pytestmark = pytest.mark.timeout(300)

F_SETPIPE_SZ = 1031
SECONDS = 30.0


@contextmanager
def unread_pipe(*, reader: bool) -> Iterator[int]:
    """A pipe that holds a page, with nobody who reads or nobody who could."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
    try:
        if not reader:
            os.close(reading)
        yield writing
    finally:
        for end in (reading, writing):
            with suppress(OSError):
                os.close(end)


@contextmanager
def broken(outlet: str) -> Iterator[int]:
    with ExitStack() as stack:
        if outlet == "full disk":
            yield stack.enter_context(open("/dev/full", "wb")).fileno()
        else:
            yield stack.enter_context(unread_pipe(reader=outlet == "nobody reads"))


OUTLETS = ["full disk", "reader gone", "nobody reads"]


@pytest.mark.parametrize("outlet", OUTLETS)
async def test_embedded_service_works_on(embedded: Embedded, outlet: str) -> None:
    with broken(outlet) as descriptor:
        process = await embedded.fleet.start_with_outlet(
            descriptor, "up", "--data-dir", str(embedded.data_dir), "--port", str(embedded.port)
        )
        async with api_at(embedded.port) as api:
            await wait_until_healthy(api)
            async with asyncio.timeout(SECONDS):
                # Some hundred lines, each of them more than a pipe of a page has room for in the end.
                for _ in range(10):
                    task_ids = await asyncio.gather(*(api.submit(BELL) for _ in range(10)))
                    for task_id in task_ids:
                        assert (await api.ended(task_id))["status"] == "completed"
        assert await process.stop() == 0


@pytest.mark.parametrize("outlet", long_after(1, ["nobody reads", "reader gone"]))
async def test_worker_and_api_work_on(distributed: Distributed, outlet: str) -> None:
    with broken(outlet) as descriptor:
        front = await distributed.fleet.start_with_outlet(descriptor, "api", "--port", str(distributed.port))
        worker = await distributed.fleet.start_with_outlet(descriptor, "worker", "--slots", "1")
        async with distributed.api() as api:
            async with asyncio.timeout(SECONDS):
                for _ in range(10):
                    task_ids = await asyncio.gather(*(api.submit(BELL) for _ in range(5)))
                    for task_id in task_ids:
                        assert (await api.ended(task_id))["status"] == "completed"
        assert (await front.stop(), await worker.stop()) == (0, 0)


async def test_lost_lines_are_counted_in_the_log_that_works_again(embedded: Embedded) -> None:
    process = await embedded.up()
    async with embedded.api() as api:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (process.output.stat().st_size, resource.RLIM_INFINITY))
        for _ in range(5):
            await api.http.get("/tasks?limit=1")
        await asyncio.sleep(0.1)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        async def told() -> bool:
            await api.http.get("/tasks?limit=1")
            lines = [line for line in process.log_lines() if line["event"] == "log.lines_dropped"]
            return bool(lines) and lines[0]["lines"] > 0 and lines[0]["reason"] == "EFBIG"

        await eventually(told, "a line about lost lines")
    assert await process.stop() == 0
    assert process.log_lines()[-1]["event"] in {"api.stopped", "Pool recreating"}, "the last lines come out too"


def printed_to(descriptor: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ketline", *arguments]
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=descriptor,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("version",), ("--help",), ("submit", "--help")])
def test_command_whose_output_finds_no_room_says_so(arguments: tuple[str, ...]) -> None:
    with broken("full disk") as descriptor:
        done = printed_to(descriptor, *arguments)
    assert done.returncode == 2
    assert done.stderr == "ketline: Cannot write the output: No space left on device.\n"


@pytest.mark.parametrize(("argument", "status"), [("version", 141), ("--help", 1)])
def test_command_whose_reader_is_gone_ends_quietly(argument: str, status: int) -> None:
    with broken("reader gone") as descriptor:
        done = printed_to(descriptor, argument)
    assert (done.returncode, done.stderr) == (status, "")

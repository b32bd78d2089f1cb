"""Run one program from the command line, on a running service or on one started for the occasion."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Unpack

import httpx
from rich.console import Console

from ketline.cli.serve import application, worker
from ketline.cli.show import show_counts, show_failure
from ketline.client import AsyncClient, Task
from ketline.client.programs import Options
from ketline.config import Settings
from ketline.runtime import open_embedded

SUCCESS, TASK_FAILED = 0, 1


async def run_program(
    client: AsyncClient,
    program: str,
    *,
    file: str,
    as_json: bool,
    timeout_seconds: float | None,
    **options: Unpack[Options],
) -> int:
    """Submit, wait and print; gives the exit status.

    Raises:
        ClientError: the service refused the request or did not answer.
    """
    handle = await client.submit(program, **options)
    task = await handle.wait(timeout_seconds=timeout_seconds)
    return _report(task, program, name=file, as_json=as_json)


@asynccontextmanager
async def embedded_client(settings: Settings) -> AsyncIterator[AsyncClient]:
    """A client of a whole service that lives in this process, and no longer than the context."""
    stop = asyncio.Event()
    with TemporaryDirectory(prefix="ketline-") as directory:
        one_slot = settings.model_copy(update={"worker_slots": 1})
        async with open_embedded(one_slot, Path(directory)) as (service, parts):
            working = asyncio.create_task(worker(one_slot, parts).run(stop))
            transport = httpx.ASGITransport(application(settings, service, stop))
            try:
                async with AsyncClient("http://embedded", transport=transport) as client:
                    yield client
            finally:
                stop.set()
                await working


@asynccontextmanager
async def client_for(url: str | None, settings: Settings) -> AsyncIterator[AsyncClient]:
    """A client of the service at `url`, or of an embedded one when there is no URL."""
    async with AsyncClient(url) if url else embedded_client(settings) as client:
        yield client


def _report(task: Task, program: str, *, name: str, as_json: bool) -> int:
    if as_json:
        print(json.dumps(task.data, indent=2))
    elif task.result is not None:
        show_counts(Console(highlight=False), task.result)
    elif task.error is not None:
        show_failure(Console(stderr=True, highlight=False), task.error, name=name, program=program)
    return SUCCESS if task.result is not None else TASK_FAILED

"""An ephemeral server: an embedded service in this process that lives as long as one command.

`ketline run` and `ketline convert` start one if they are given no service.
"""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from ketline.cli.server.serve import serve_until
from ketline.client import Client, Retries
from ketline.config import Settings

T = TypeVar("T")
# The server runs in this process: a request that fails once would fail again.
NO_RETRIES = Retries(max_seconds=0.0)


async def with_ephemeral_server(settings: Settings, programs: int, use: Callable[[Client], T]) -> T:
    """Start a server, call `use` in a thread with a client of that server, stop it, and return what `use` returned.

    `programs` is how many programs `use` will run; the server has no more slots than that.
    """
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with TemporaryDirectory(prefix="ketline-") as directory:
        slots = min(settings.worker_slots, programs)
        own = {"host": "127.0.0.1", "port": 0, "worker_slots": slots, "tls_cert": None, "tls_key": None}
        private = settings.model_copy(update=own)
        serving = asyncio.create_task(serve_until(private, Path(directory), stop, ready.set_result))
        try:
            waited: list[asyncio.Future[Any]] = [ready, serving]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                await serving
            return await _in_thread(lambda: _use_client(ready.result(), use))
        finally:
            stop.set()
            await serving


def _use_client(url: str, use: Callable[[Client], T]) -> T:
    with Client(url, retries=NO_RETRIES) as client:
        return use(client)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` as `asyncio.to_thread` does, but in a daemon thread, so that an interrupted command ends at once."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def set_outcome(outcome: Callable[[], None]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None if done.done() else outcome())

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # the caller handles it
            caught = error
            set_outcome(lambda: done.set_exception(caught))
        else:
            set_outcome(lambda: done.set_result(result))

    threading.Thread(target=run, daemon=True).start()
    return await done

"""A service for the occasion: embedded, in this process, gone when the command ends."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from ketline.cli.serve import serve_until
from ketline.client import Client, Retries
from ketline.config import Settings

T = TypeVar("T")
# It lives as long as this process: what it does not answer at once it never will.
IMPATIENT = Retries(patience_seconds=0.0)


async def with_own_service(settings: Settings, programs: int, use: Callable[[Client], T]) -> T:
    """What `use` makes of a client of a service that serves nobody else, and will be asked for so many programs."""
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with TemporaryDirectory(prefix="ketline-") as directory:
        slots = min(settings.worker_slots, programs)
        private = settings.model_copy(update={"host": "127.0.0.1", "port": 0, "worker_slots": slots})
        serving = asyncio.create_task(serve_until(private, Path(directory), stop, ready.set_result))
        try:
            waited: list[asyncio.Future[Any]] = [ready, serving]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                await serving
            return await _in_thread(lambda: _used(ready.result(), use))
        finally:
            stop.set()
            await serving


def _used(url: str, use: Callable[[Client], T]) -> T:
    with Client(url, retries=IMPATIENT) as client:
        return use(client)


async def _in_thread(work: Callable[[], T]) -> T:
    """As `asyncio.to_thread`, but a command that is interrupted does not wait for the thread's end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(outcome: Callable[[], None]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None if done.done() else outcome())

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # whatever it is, it is the caller's
            caught = error
            tell(lambda: done.set_exception(caught))
        else:
            tell(lambda: done.set_result(result))

    threading.Thread(target=run, daemon=True).start()
    return await done

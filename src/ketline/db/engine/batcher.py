"""Batches statements and SQLite's commits: requests that arrive while one batch runs form the next batch.

`database.py` batches the frequent statements by it, and `sqlite.py` commits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

R = TypeVar("R")
V = TypeVar("V")

# A batch of at least this many requests is a sign of load: the next one waits for more requests to arrive.
MANY = 3


@dataclass(frozen=True, slots=True)
class Response:
    """The value or the error that one request results in."""

    value: Any = None
    error: Exception | None = None


class Batcher(Generic[R, V]):
    """Runs requests in their order of arrival, in batches of up to `most`.

    A request runs at once when no other runs, and with those that arrive meanwhile otherwise. After a batch of several
    requests it waits for `gathering_seconds`, so that a request under load may wait longer by this time. `run` returns
    one response for each request, in the same order.
    """

    def __init__(
        self,
        run: Callable[[Sequence[R]], Awaitable[Sequence[Response]]],
        *,
        most: int,
        gathering_seconds: float = 0.0,
    ) -> None:
        self._run = run
        self._most = most
        self._gathering_seconds = gathering_seconds
        self._waiting: list[tuple[R, asyncio.Future[V]]] = []
        self._running: asyncio.Task[None] | None = None

    def submit(self, request: R) -> asyncio.Future[V]:
        """Add a request; the future completes with the value or the error of its response."""
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_all())
        return future

    async def drain(self) -> None:
        """Wait until every request has its response."""
        if self._running is not None:
            await self._running

    async def _run_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                responses = await self._run([request for request, _ in batch])
            except Exception as error:
                responses = [Response(error=error)] * len(batch)
            for (_, future), response in zip(batch, responses, strict=True):
                _complete(future, response)
            if self._gathering_seconds and len(batch) >= MANY and len(self._waiting) < self._most:
                await asyncio.sleep(self._gathering_seconds)


def _complete(future: asyncio.Future[V], response: Response) -> None:
    if future.cancelled():
        return
    if response.error is not None:
        future.set_exception(response.error)
    else:
        future.set_result(cast("V", response.value))

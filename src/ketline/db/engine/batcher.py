"""Batches requests: those that arrive while one batch runs form the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Response:
    """The value or the error that answers one request."""

    value: Any = None
    error: Exception | None = None


class Batcher(Generic[Q, A]):
    """Runs requests in the order of arrival, all that wait in one batch; it never waits for a batch to fill.

    `run` gives a response for each request, in order.
    """

    def __init__(self, run: Callable[[Sequence[Q]], Awaitable[Sequence[Response]]], *, most: int) -> None:
        self._run = run
        self._most = most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._running: asyncio.Task[None] | None = None

    def submit(self, request: Q) -> asyncio.Future[A]:
        """Adds a request; the future completes with its own response or error."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_all())
        return answer

    async def drain(self) -> None:
        """Returns when every request has its response."""
        if self._running is not None:
            await self._running

    async def _run_all(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                responses = await self._run([request for request, _ in now])
            except Exception as error:
                responses = [Response(error=error)] * len(now)
            for (_, answer), response in zip(now, responses, strict=True):
                _settle(answer, response)


def _settle(answer: asyncio.Future[A], response: Response) -> None:
    if answer.cancelled():
        return
    if response.error is not None:
        answer.set_exception(response.error)
    else:
        answer.set_result(cast("A", response.value))

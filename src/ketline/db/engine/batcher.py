"""Callers that ask while a piece of work is under way share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one caller's request came to."""

    value: Any = None
    error: Exception | None = None


class Group(Generic[Q, A]):
    """Runs requests in the order they came, those that wait together in one go; nobody waits for company.

    `run` gives an outcome for each request, in order.
    """

    def __init__(self, run: Callable[[Sequence[Q]], Awaitable[Sequence[Outcome]]], *, most: int) -> None:
        self._run = run
        self._most = most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._running: asyncio.Task[None] | None = None

    def ask(self, request: Q) -> asyncio.Future[A]:
        """The request's own answer, or its own error, when it is there."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_all())
        return answer

    async def drain(self) -> None:
        """Return when nobody waits for an answer."""
        if self._running is not None:
            await self._running

    async def _run_all(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                outcomes = await self._run([request for request, _ in now])
            except Exception as error:
                outcomes = [Outcome(error=error)] * len(now)
            for (_, answer), outcome in zip(now, outcomes, strict=True):
                _settle(answer, outcome)


def _settle(answer: asyncio.Future[A], outcome: Outcome) -> None:
    if answer.cancelled():
        return
    if outcome.error is not None:
        answer.set_exception(outcome.error)
    else:
        answer.set_result(cast("A", outcome.value))

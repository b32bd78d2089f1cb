"""Submits the known tasks the way a careful client does: with a key, to any API, again and again until accepted."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import httpx

from tests.chaos.run.callbacks import is_called_back
from tests.chaos.run.ledger import Acknowledgement, Ledger
from tests.chaos.run.programs import KnownTask
from tests.chaos.verdict.records import Violation

ANSWER_SECONDS = 20.0
TIMEOUT_SECONDS = 120.0
RETRY_SECONDS = 0.2
IN_FLIGHT = 24
REPEAT_SHARE = 0.1


class NotAccepted(Exception):
    """A task was rejected for good, or for longer than a client would wait."""


@dataclass(slots=True)
class Submitter:
    """Sends tasks over a span of time; with `repeat` some keys are sent again, at once or after the answer.

    Some of the tasks have the `callback`, if there is one.
    """

    run: str
    http: httpx.AsyncClient
    ports: Sequence[int]
    ledger: Ledger
    rng: Random
    repeat: bool
    callback: str | None = None
    retries: int = 0
    unanswered: int = 0
    violations: list[Violation] = field(default_factory=list)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_FLIGHT))

    async def submit(self, tasks: Sequence[KnownTask], seconds: float) -> None:
        """Return when every task is acknowledged or given up; they are sent at random moments of this span."""
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(self._submit(task, after=self.rng.uniform(0, seconds)))

    async def _submit(self, task: KnownTask, after: float) -> None:
        await asyncio.sleep(after)
        together = 2 if self.repeat and self.rng.random() < REPEAT_SHARE else 1
        later = self.repeat and self.rng.random() < REPEAT_SHARE
        async with self._places:
            try:
                await asyncio.gather(*(self._until_accepted(task) for _ in range(together)))
                if later:
                    await self._until_accepted(task)
            except NotAccepted as error:
                violation = Violation(invariant="every task is accepted", subject=str(task.number), detail=str(error))
                self.violations.append(violation)

    async def _until_accepted(self, task: KnownTask) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        port = self.rng.choice(self.ports)
        while not await self._accepted(task, port):
            if time.monotonic() > deadline:
                raise NotAccepted(f"not accepted within {TIMEOUT_SECONDS:g} s")
            self.retries += 1
            await asyncio.sleep(RETRY_SECONDS)
            port = self.rng.choice(self.ports)

    async def _accepted(self, task: KnownTask, port: int) -> bool:
        key = f"{self.run}-{task.number}"
        try:
            response = await self.http.post(
                f"http://127.0.0.1:{port}/tasks",
                json=self._body(task),
                headers={"Idempotency-Key": key, "X-Correlation-ID": key},
            )
        except httpx.HTTPError:
            self.unanswered += 1
            return False
        if response.status_code == 202:
            task_id = response.json()["task_id"]
            self.ledger.acknowledge(
                Acknowledgement(number=task.number, key=key, task_id=task_id, status=response.status_code)
            )
            return True
        if response.status_code in {409, 429} or response.status_code >= 500:
            return False
        raise NotAccepted(f"answered {response.status_code}: {response.text[:200]}")

    def _body(self, task: KnownTask) -> dict[str, object]:
        callback = {"callback": self.callback} if self.callback and is_called_back(task.number) else {}
        return {"qc": task.program, "shots": task.shots, "priority": task.priority, **callback}


def number_of(correlation_id: str) -> int:
    """The number of the task that was sent with this correlation id."""
    return int(correlation_id.rpartition("-")[2])

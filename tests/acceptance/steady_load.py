"""Clients that submit tasks all the time while a test changes the service below them, and what must hold afterwards."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4

import httpx

from tests.acceptance.processes import eventually
from tests.acceptance.programs import BELL
from tests.chaos.run.ledger import Acknowledgement
from tests.chaos.testbed.store import PostgresStore
from tests.chaos.verdict import invariants
from tests.chaos.verdict.records import StoredTask

CLIENTS = 4
# Each client waits so long between two tasks: the load is steady and leaves the machine to the service.
PAUSE_SECONDS = 0.1
RETRY_SECONDS = 0.1
RESPONSE_SECONDS = 20.0


@dataclass(slots=True)
class SteadyLoad:
    """Submits short programs to any of `ports`, each with a key of its own until it is accepted.

    `ports` may be changed meanwhile. `body` gives the task of a number, `headers` are sent with each.
    A client sends a task again after an error that says to try again, as the client of the package does; any other
    response fails the test.
    """

    ports: list[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[int], Mapping[str, object]] = lambda number: {"qc": BELL, "shots": 16}
    pause_seconds: float = PAUSE_SECONDS
    acknowledged: list[Acknowledgement] = field(default_factory=list)
    accepted_at: list[float] = field(default_factory=list)
    retried_at: list[float] = field(default_factory=list)
    _run: str = field(default_factory=lambda: uuid4().hex[:8])
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _rng: Random = field(default_factory=lambda: Random(1))
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Submit while the context is open; leaving it lets each client finish its task."""
        async with httpx.AsyncClient(timeout=RESPONSE_SECONDS) as http, asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(self._client(http))
            yield
            self._stopping.set()

    async def accepts(self, tasks: int) -> None:
        """Wait until so many further tasks are accepted."""
        wanted = len(self.acknowledged) + tasks

        async def enough() -> bool:
            return len(self.acknowledged) >= wanted

        await eventually(enough, f"{tasks} further tasks accepted; {len(self.acknowledged)} until now")

    def longest_pause(self) -> float:
        """The longest time in seconds between two tasks that were accepted."""
        return max(later - sooner for sooner, later in itertools.pairwise(sorted(self.accepted_at)))

    async def _client(self, http: httpx.AsyncClient) -> None:
        while not self._stopping.is_set():
            number = next(self._numbers)
            while not await self._accepted(http, number):
                self.retried_at.append(time.monotonic())
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(self.pause_seconds)

    async def _accepted(self, http: httpx.AsyncClient, number: int) -> bool:
        key = f"{self._run}-{number}"
        try:
            response = await http.post(
                f"http://127.0.0.1:{self._rng.choice(self.ports)}/tasks",
                json=self.body(number),
                headers={**self.headers, "Idempotency-Key": key, "X-Correlation-ID": key},
            )
        except httpx.HTTPError:
            return False
        if response.status_code in {409, 429, 503}:
            return False
        assert response.status_code == 202, response.text
        self.accepted_at.append(time.monotonic())
        task_id = response.json()["task_id"]
        self.acknowledged.append(Acknowledgement(number=number, key=key, task_id=task_id, status=202))
        return True


async def verified(url: str, load: SteadyLoad) -> Sequence[StoredTask]:
    """The tasks in the database at `url`, once all have ended, if nothing that was promised of them is broken.

    Each task that was accepted is there once, each has ended by legal steps, and each is completed, with one result.
    """
    store = PostgresStore(url)

    async def rest() -> bool:
        return not await store.unfinished(1)

    await eventually(rest, "an end of every task")
    tasks = await store.tasks()
    broken = [
        *invariants.acknowledged_exist(load.acknowledged, tasks),
        *invariants.one_task_per_key(load.acknowledged, tasks),
        *invariants.all_terminal(tasks),
    ]
    of_one = [
        invariants.history_is_legal,
        invariants.attempts_grow,
        invariants.leases_close_once,
        invariants.result_is_of_last_attempt,
    ]
    broken += [violation for task in tasks for check in of_one for violation in check(task)]
    assert not broken
    assert {task.status for task in tasks} == {"completed"}
    assert len(tasks) >= len(load.acknowledged)
    return tasks

"""Lets one fault after the other loose, in the seed's order, until the time is over."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from aio_pika.exceptions import AMQPError
from redis.exceptions import RedisError

from tests.chaos.faults.clients import CLIENT_FAULTS
from tests.chaos.faults.context import Fault, FaultContext
from tests.chaos.faults.database import DATABASE_FAULTS
from tests.chaos.faults.disk import DISK_FAULTS
from tests.chaos.faults.processes import COMMON_FAULTS
from tests.chaos.faults.resources import RESOURCE_FAULTS
from tests.chaos.faults.servers import SERVER_FAULTS, SERVER_OF
from tests.chaos.run.plan import Plan
from tests.chaos.testbed.store import DATABASE_DOWN
from tests.servers.process import ServerFailed

_SCARCITY: Mapping[str, Fault] = {**RESOURCE_FAULTS, **DATABASE_FAULTS, **CLIENT_FAULTS}
FAULTS = {**COMMON_FAULTS, **SERVER_FAULTS, **DISK_FAULTS, **_SCARCITY}
# A worker that cannot connect again after an outage is lost, so that these do not overlap with one.
_SERVER_OF = {**SERVER_OF, **dict.fromkeys(_SCARCITY, "postgres")}
# Longer than any fault takes; one that hangs must not hang the run.
FAULT_SECONDS = 150.0
# A fault may meet a server that another fault has just ended: it then had no effect, and is not counted.
_MISSED = (*DATABASE_DOWN, AMQPError, RedisError, ServerFailed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault that took place, from its beginning to the end of its repair."""

    kind: str
    target: str
    at: datetime
    until: datetime


class FaultInjector:
    """The faults of one run."""

    def __init__(self, plan: Plan, context: FaultContext) -> None:
        self.injections: list[Injection] = []
        self.missed: list[str] = []
        self._plan = plan
        self._context = context
        self._repairs: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rng = Random(f"storm-{plan.seed}")
        self._deck = self._shuffled()

    async def inject(self) -> None:
        """Inject faults until the time of the plan is over and each kind has occurred, then wait for all to end."""
        ends = time.monotonic() + self._plan.seconds
        async with asyncio.TaskGroup() as group:
            drawn = 0
            while time.monotonic() < ends or drawn < sum(self._plan.faults.values()):
                await asyncio.sleep(self._rng.uniform(*self._plan.pauses))
                group.create_task(self._inject(next(self._deck)))
                drawn += 1

    def _shuffled(self) -> Iterator[str]:
        deck = [kind for kind, times in self._plan.faults.items() for _ in range(times)]
        while True:
            self._rng.shuffle(deck)
            yield from deck

    async def _inject(self, kind: str) -> None:
        async with self._repairs[_SERVER_OF.get(kind, kind)]:
            at = datetime.now(UTC)
            try:
                async with asyncio.timeout(FAULT_SECONDS):
                    target = await FAULTS[kind](self._context)
            except _MISSED as error:
                self.missed.append(f"{kind}: {error!r}"[:300])
            else:
                self._note(kind, target, at)

    def _note(self, kind: str, target: str | None, at: datetime) -> None:
        if target is None:
            self.missed.append(f"{kind}: nothing to hit")
        else:
            self.injections.append(Injection(kind=kind, target=target, at=at, until=datetime.now(UTC)))

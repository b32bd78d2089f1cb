"""What a fault is, and what it gets: a fault returns the name of what it hit, or None if there was nothing to hit."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import httpx

from tests.chaos.run.ledger import Ledger
from tests.chaos.run.plan import Plan
from tests.chaos.testbed.deployment import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultContext:
    """What a fault may use: the plan, the service under test, a random generator, the ledger and a client."""

    plan: Plan
    deployment: Deployment
    rng: Random
    ledger: Ledger
    http: httpx.AsyncClient

    async def last(self) -> None:
        """Let a fault last for as long as the plan says."""
        await asyncio.sleep(self.rng.uniform(*self.plan.lasting))


Fault = Callable[[FaultContext], Awaitable[str | None]]

"""What can be done to a service: each fault gives what it hit, or None when there was nothing to hit."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import httpx

from tests.chaos.site.deployment import Site
from tests.chaos.storm.ledger import Ledger
from tests.chaos.storm.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a fault has at hand."""

    plan: Plan
    site: Site
    rng: Random
    ledger: Ledger
    http: httpx.AsyncClient

    async def last(self) -> None:
        """Let a fault last for as long as the plan says."""
        await asyncio.sleep(self.rng.uniform(*self.plan.lasting))


Fault = Callable[[Scene], Awaitable[str | None]]

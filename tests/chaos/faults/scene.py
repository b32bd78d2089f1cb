"""What can be done to a service: each fault gives what it hit, or None when there was nothing to hit."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import httpx

from tests.chaos.site.deployment import Site
from tests.chaos.storm.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a fault has at hand."""

    site: Site
    rng: Random
    ledger: Ledger
    http: httpx.AsyncClient


Fault = Callable[[Scene], Awaitable[str | None]]

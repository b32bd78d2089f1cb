"""Limits the rate of the requests of each sender."""

from typing import Protocol

from ketline.domain.access.rate_limits import RateDecision


class RateLimiter(Protocol):
    """Counts the requests of each sender."""

    async def hit(self, sender: str) -> RateDecision:
        """Count a request, unless it exceeds a limit, and return how many more are permitted."""
        ...

"""The `RateLimiter` of an API process, in its memory, by the library `limits`; `runtime.services` opens it.

Each process counts by itself: with N processes behind a load balancer a sender may send up to N times as much.
"""

import time
from collections.abc import Sequence

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from ketline.domain.access.rate_limits import RateDecision, RateLimit, RateUse

_ITEMS: dict[str, type[RateLimitItem]] = {
    "second": RateLimitItemPerSecond,
    "minute": RateLimitItemPerMinute,
    "hour": RateLimitItemPerHour,
}


class MemoryRateLimiter:
    """Sliding windows: the requests of the window before count by the part of it that is not over."""

    def __init__(self, limits: Sequence[RateLimit]) -> None:
        self._items = [(limit, _ITEMS[limit.window](limit.requests)) for limit in limits]
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def hit(self, sender: str) -> RateDecision:
        uses: list[RateUse] = []
        for limit, item in self._items:
            within = await self._windows.hit(item, sender)
            stats = await self._windows.get_window_stats(item, sender)
            use = RateUse(limit, stats.remaining, max(0.0, stats.reset_time - time.time()))
            uses.append(use)
            if not within:
                return RateDecision(uses, exceeded=use)
        return RateDecision(uses)

"""Limits on the rate of requests: what operators write, and what a sender has used of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_LIMIT = re.compile(r"(\d{1,9})/(second|minute|hour)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The most requests in a window of one second, minute or hour."""

    requests: int
    window: Literal["second", "minute", "hour"]

    @property
    def seconds(self) -> int:
        return _SECONDS[self.window]


@dataclass(frozen=True, slots=True)
class RateUse:
    """The rest of a limit for a sender, and the seconds until there is more."""

    limit: RateLimit
    remaining: int
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class RateDecision:
    """Whether a request is within all limits, and what is left of each; without the one that it exceeds if it is."""

    uses: Sequence[RateUse]
    exceeded: RateUse | None = None


def parse_rate_limits(text: str) -> tuple[RateLimit, ...]:
    """The limits in a list such as `20/second, 600/minute`, the shortest window first.

    Raises:
        ValueError: it is not such a list.
    """
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    parts = [_LIMIT.fullmatch(entry) for entry in entries]
    found = {match[2]: RateLimit(int(match[1]), match[2]) for match in parts if match}  # type: ignore[arg-type]
    if len(found) < len(entries) or any(limit.requests < 1 for limit in found.values()):
        raise ValueError("write limits such as 20/second, 600/minute, at most one for each of second, minute and hour")
    return tuple(sorted(found.values(), key=lambda limit: limit.seconds))

"""Whether and when to ask again, decided from plain values alone."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ketline.client.wire import Lost, Response

# Asked too much, or not answered by the service itself: with time it may be. 502 and 504 are those of proxies.
TEMPORARY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How patient a client is: it goes on asking for so many seconds, at growing intervals.

    Less so with a service that never answered yet: its address may be wrong.
    """

    patience_seconds: float = 120.0
    first_contact_seconds: float = 10.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 5.0
    growth: float = 2.0

    @property
    def at_first_contact(self) -> "Retries":
        return replace(self, patience_seconds=min(self.first_contact_seconds, self.patience_seconds))


def pause_before_retry(
    outcome: Response | Lost, *, attempt: int, spent_seconds: float, retries: Retries, draw: float, now: datetime
) -> float | None:
    """Seconds after which to ask again, or None for giving up.

    `attempt` counts from 0, `draw` is random between 0 and 1: clients that were cut off together shall not come back
    together. The service's `Retry-After` is kept to, however long it is, unless that takes more patience than is left.
    """
    if isinstance(outcome, Response) and outcome.status not in TEMPORARY:
        return None
    # A bound on the exponent: the pause has long been cut, and powers overflow.
    grown = retries.first_pause_seconds * retries.growth ** min(attempt, 30)
    pause = min(grown, retries.longest_pause_seconds) * (0.5 + draw / 2)
    asked_for = retry_after(outcome, now) if isinstance(outcome, Response) else None
    if asked_for is not None:
        pause = asked_for + pause / 4
    left = retries.patience_seconds - spent_seconds
    if asked_for is not None and asked_for > left:
        return None
    # The last attempt comes just when patience ends.
    return None if left <= 0 else min(pause, left)


def retry_after(response: Response, now: datetime) -> float | None:
    """What `Retry-After` asks for in seconds, if anything that can be read.

    Source: RFC 9110, section 10.2.3: seconds or a date.
    """
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        date = datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, (date - now).total_seconds())

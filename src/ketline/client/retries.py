"""Retries of requests: whether a flow sends one again, and after what pause."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ketline.client.steps import Lost, Response

# Too many requests (429), an unavailable service (503), or a proxy's error (502, 504): a retry may succeed.
TEMPORARY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How long a client retries a request, and the pauses between attempts.

    It retries for `max_seconds`, or for `first_contact_seconds` while the service has never responded, because its
    address may be wrong. The first pause is `first_pause_seconds`; each is `growth` times the one before, up to
    `longest_pause_seconds`.
    """

    max_seconds: float = 120.0
    first_contact_seconds: float = 10.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 5.0
    growth: float = 2.0

    @property
    def at_first_contact(self) -> "Retries":
        """These retries with the retry time that applies while the service has never responded."""
        return replace(self, max_seconds=min(self.first_contact_seconds, self.max_seconds))


def pause_before_retry(
    outcome: Response | Lost, *, attempt: int, spent_seconds: float, retries: Retries, draw: float, now: datetime
) -> float | None:
    """Seconds to wait before the next attempt, or None to give up.

    `attempt` counts from 0. `draw` is a random number between 0 and 1, so that clients that lost their connections at
    the same time do not retry at the same time. The service's `Retry-After` is respected; if it is longer than the rest
    of `max_seconds`, the client gives up.
    """
    if isinstance(outcome, Response) and outcome.status not in TEMPORARY:
        return None
    # The exponent is bounded because the power would overflow; the longest pause is reached much earlier.
    grown = retries.first_pause_seconds * retries.growth ** min(attempt, 30)
    pause = min(grown, retries.longest_pause_seconds) * (0.5 + draw / 2)
    requested = retry_after(outcome, now) if isinstance(outcome, Response) else None
    if requested is not None:
        pause = requested + pause / 4
    left = retries.max_seconds - spent_seconds
    if requested is not None and requested > left:
        return None
    # The last attempt is sent at the end of the retry time.
    return None if left <= 0 else min(pause, left)


def retry_after(response: Response, now: datetime) -> float | None:
    """The value of `Retry-After` in seconds, None if it is missing or malformed.

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

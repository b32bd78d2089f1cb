"""Limits how many invalid credentials an address may send; the guard and the sign-in of the pages check it.

Each process counts separately, in bounded memory: with N processes an address may fail up to N times as often.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network

from ketline.domain.access.rate_limits import RateLimit, RateUse
from ketline.ports.clock import Clock

# Above this number, the address whose last failure is the oldest is removed.
MAX_ADDRESSES = 10_000
# A subscriber with IPv6 has at least a network of this size.
_NETWORK_BITS = 64


@dataclass(slots=True)
class FailedSignIns:
    """Counts failures by IPv4 address or by IPv6 network of 64 bits.

    With a limit of `30/minute` an address may fail 30 times at once, and then once every two seconds.

    Source: the generic cell rate algorithm (ITU-T I.371); the stored time is when all failures will have expired.
    """

    limits: Sequence[RateLimit]
    clock: Clock
    _forgotten_at: OrderedDict[str, list[float]] = field(default_factory=OrderedDict, init=False)

    def exceeded(self, origin: str | None) -> RateUse | None:
        """The limit that an address has reached, and the seconds until its next attempt; None if it may try now."""
        times, now = self._forgotten_at.get(_network_of(origin)), self.clock.monotonic()
        uses = [] if times is None else [_use(limit, at - now) for limit, at in zip(self.limits, times, strict=True)]
        return max((use for use in uses if use.reset_seconds > 0), key=lambda use: use.reset_seconds, default=None)

    def count(self, origin: str | None) -> None:
        """Count a failure of an address."""
        network, now = _network_of(origin), self.clock.monotonic()
        times = self._forgotten_at.pop(network, [now] * len(self.limits))
        self._forgotten_at[network] = [_later(limit, at, now) for limit, at in zip(self.limits, times, strict=True)]
        if len(self._forgotten_at) > MAX_ADDRESSES:
            self._forgotten_at.popitem(last=False)


def _later(limit: RateLimit, at: float, now: float) -> float:
    # Requests that were under way at the same time may have exceeded the limit: that does not lengthen the wait.
    return min(max(at, now) + limit.seconds / limit.requests, now + limit.seconds)


def _use(limit: RateLimit, seconds: float) -> RateUse:
    one = limit.seconds / limit.requests
    # By half of one, so that the sum of the others may be inexact.
    full = seconds > limit.seconds - one / 2
    return RateUse(limit, 0, seconds - limit.seconds + one if full else 0.0)


def _network_of(origin: str | None) -> str:
    try:
        address = ip_address(origin or "")
    except ValueError:
        return ""
    return str(ip_network((address, _NETWORK_BITS), strict=False) if isinstance(address, IPv6Address) else address)

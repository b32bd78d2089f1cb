"""When a lease counts as expired. It is judged only while the database is reachable, never across an outage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ketline.domain.task import LeaseToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time, by the database's clock, in which leases could not be renewed, or in which that clock was stepped."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSurvey:
    """The database's clock, and when the leases end that are longer than any that was given of late."""

    at: datetime
    distant: Mapping[LeaseToken, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Which leases are over: those that ended before `as_of` (now, where it is None), and the `unrenewed` ones.

    Those that ended within the `outage` ended no attempt that counts against its task. `unrenewed` names leases that
    end in a distant future and that nobody renews: they were given before the clock was set back.
    """

    as_of: datetime | None = None
    outage: Outage | None = None
    unrenewed: Sequence[LeaseToken] = ()


# The leases that are over by the database's clock at the moment it is asked.
NOW = Expiry()

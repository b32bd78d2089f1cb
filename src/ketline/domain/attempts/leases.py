"""The values by which the reaper judges leases: an outage of the database must not count against a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ketline.domain.ids import LeaseToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A period, by the database's clock, in which leases could not be renewed, or in which that clock was set."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSurvey:
    """A reading of the database's clock, and the ends of leases that are later than any lease granted recently."""

    at: datetime
    distant: Mapping[LeaseToken, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Which leases are over: those that ended before `as_of` (now, where it is None), and the `unrenewed` ones.

    If a lease ended within the `outage`, its attempt does not count against the task. `unrenewed` leases end later than
    `beyond` from now and no worker renews them: they were granted before the clock was set back.
    """

    as_of: datetime | None = None
    outage: Outage | None = None
    unrenewed: Sequence[LeaseToken] = ()
    beyond: timedelta = timedelta()


# The leases that are over by the database's clock when the statement runs.
NOW = Expiry()

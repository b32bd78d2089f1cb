"""What a run did and found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.chaos.site.deployment import Features
from tests.chaos.storm.plan import KILLS, Plan
from tests.chaos.storm.storm import Strike
from tests.chaos.verdict.journal import Journal
from tests.chaos.verdict.records import Violation
from tests.chaos.verdict.recovery import Recovery

# Their targets name every process that was hit.
_OF_SEVERAL = frozenset({"kill_every_worker", "kill_starting_service"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The figures of one run.

    `settle_seconds` is how long after the last fault the last task ended, `completions` how many tasks were completed
    in each ten seconds of the run.
    """

    plan: Plan
    features: Features
    started_at: datetime
    seconds: float
    settle_seconds: float
    acknowledged: int
    retries: int
    unanswered: int
    starts: int
    statuses: Mapping[str, int]
    attempts: int
    strikes: Sequence[Strike]
    missed: Sequence[str]
    violations: Sequence[Violation]
    recoveries: Sequence[Recovery]
    broker_seconds: Sequence[float]
    completions: Sequence[int]
    journal: Journal

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"chaos-{self.plan.name}-{self.started_at:%Y%m%dT%H%M%SZ}"

    @property
    def kills(self) -> int:
        """Processes and servers ended by SIGKILL; a server's processes count as one."""
        return sum(kills_of(strike) for strike in self.strikes)


def kills_of(strike: Strike) -> int:
    """How many of the service's processes, or servers, a strike killed."""
    if strike.kind in _OF_SEVERAL:
        return len(strike.target.split())
    return int(strike.kind in KILLS)

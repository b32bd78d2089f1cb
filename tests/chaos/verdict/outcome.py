"""What a run did and found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.chaos.run.injector import Injection
from tests.chaos.run.plan import KILLS, Plan
from tests.chaos.testbed.deployment import Features
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
    injections: Sequence[Injection]
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
        return sum(kills_of(injection) for injection in self.injections)


def kills_of(injection: Injection) -> int:
    """How many of the service's processes, or servers, a injection killed."""
    if injection.kind in _OF_SEVERAL:
        return len(injection.target.split())
    return int(injection.kind in KILLS)

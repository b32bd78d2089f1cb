"""One chaos run from its first process to its verdict."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.chaos.faults.scene import Scene
from tests.chaos.faults.servers import repair
from tests.chaos.site.deployment import Site, open_site
from tests.chaos.site.store import DATABASE_AWAY
from tests.chaos.storm.ledger import Ledger, open_ledger
from tests.chaos.storm.plan import Plan
from tests.chaos.storm.programs import KnownTask, make_tasks
from tests.chaos.storm.storm import Storm
from tests.chaos.storm.submit import ANSWER_SECONDS, Submitter
from tests.chaos.storm.watch import OrphanWatch, leftovers
from tests.chaos.verdict.archive import keep
from tests.chaos.verdict.evidence import Evidence, api_agrees, servers_at_rest
from tests.chaos.verdict.journal import read_journal
from tests.chaos.verdict.outcome import Outcome
from tests.chaos.verdict.records import StoredTask, Violation
from tests.chaos.verdict.recovery import broker_recoveries, completions, worker_recoveries

POLL_SECONDS = 0.2
_LIMITS = httpx.Limits(max_connections=200)


async def run(plan: Plan, *, logs: Path | None = None, keep_logs: bool = False) -> Outcome:
    """Run the plan; every process it started has ended when this returns or raises.

    What the processes logged is kept under `logs` when a promise was broken, or in any case with `keep_logs`.
    """
    async with open_site(plan) as site, httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=_LIMITS) as http:
        with open_ledger(site.directory / "ledger.jsonl") as ledger:
            act = _Act(plan=plan, site=site, http=http, ledger=ledger)
            async with _running(act.watch.run()):
                await act.rage()
                await act.settle()
                await act.examine()
            await act.end()
            outcome = act.outcome()
            if logs is not None and (outcome.violations or keep_logs):
                keep(site.directory, logs / outcome.name)
            return outcome


@dataclass(slots=True, kw_only=True)
class _Act:
    """What a run has at hand, and what it has found so far."""

    plan: Plan
    site: Site
    http: httpx.AsyncClient
    ledger: Ledger
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    settle_seconds: float = 0.0
    tasks: Sequence[StoredTask] = ()
    violations: list[Violation] = field(default_factory=list)
    known: Sequence[KnownTask] = field(init=False)
    scene: Scene = field(init=False)
    submitter: Submitter = field(init=False)
    storm: Storm = field(init=False)
    watch: OrphanWatch = field(init=False)

    def __post_init__(self) -> None:
        plan, site = self.plan, self.site
        self.known = make_tasks(plan.tasks, seed=plan.seed, long_share=plan.long_share)
        self.scene = Scene(plan=plan, site=site, rng=Random(f"faults-{plan.seed}"), ledger=self.ledger, http=self.http)
        self.submitter = Submitter(
            run=f"{plan.name}-{self.started_at:%H%M%S}",
            http=self.http,
            ports=site.ports,
            ledger=self.ledger,
            rng=Random(f"submit-{plan.seed}"),
            repeat=site.features.idempotency,
        )
        self.storm, self.watch = Storm(plan, self.scene), OrphanWatch(site)

    async def rage(self) -> None:
        """Submit everything while faults strike."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.submitter.submit(self.known, self.plan.seconds))
            group.create_task(self.storm.rage())

    async def settle(self) -> None:
        """Wait, without faults, until every task has ended or none has for as long as the patience is."""
        await repair(self.scene)
        calm = progress = time.monotonic()
        fewest = None
        while (left := await self._unfinished()) != 0 and time.monotonic() - progress < self.plan.settle_seconds:
            if left is not None and (fewest is None or left < fewest):
                fewest, progress = left, time.monotonic()
            await asyncio.sleep(POLL_SECONDS)
        self.settle_seconds = time.monotonic() - calm

    async def _unfinished(self) -> int | None:
        try:
            return len(await self.site.store.unfinished(2 * self.plan.tasks))
        except DATABASE_AWAY:
            return None  # still recovering from the last fault

    async def examine(self) -> None:
        """Read everything while the service still runs."""
        self.tasks = await self.site.store.tasks()
        self.violations += await api_agrees(self.site, self.http, self.tasks)
        self.violations += await servers_at_rest(self.site)

    async def end(self) -> None:
        """End the service, and gather what was noticed on the way."""
        await self.site.supervisor.close()
        self.violations += await leftovers(self.site)
        for witness in (self.watch, self.site.supervisor, self.submitter):
            self.violations += witness.violations

    def outcome(self) -> Outcome:
        """The verdict."""
        strikes = self.storm.strikes
        evidence = Evidence(
            ledger=self.ledger,
            known=self.known,
            tasks=self.tasks,
            journal=read_journal(self.site.directory),
            keys_hold=self.site.features.idempotency,
            simulators_killed=sum(strike.kind == "kill_simulator" for strike in strikes),
            workers_killed=not self.plan.spares_workers,
        )
        return Outcome(
            plan=self.plan,
            features=self.site.features,
            started_at=self.started_at,
            seconds=time.monotonic() - self.began,
            settle_seconds=self.settle_seconds,
            acknowledged=len(self.ledger.acknowledgements()),
            retries=self.submitter.retries,
            unanswered=self.submitter.unanswered,
            starts=self.site.supervisor.starts,
            statuses=Counter(task.status for task in self.tasks),
            attempts=sum(task.attempt for task in self.tasks),
            strikes=strikes,
            missed=self.storm.missed,
            violations=[*self.violations, *evidence.violations()],
            recoveries=worker_recoveries(self.tasks, self.site.supervisor.killed, strikes),
            broker_seconds=broker_recoveries(self.tasks, strikes),
            completions=completions(self.tasks, self.started_at),
            journal=evidence.journal,
        )


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

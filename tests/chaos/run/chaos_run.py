"""One chaos run, from the start of its processes to its verdict."""

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

from tests.chaos.faults.context import FaultContext
from tests.chaos.faults.servers import repair
from tests.chaos.run.callbacks import Callbacks, open_callbacks
from tests.chaos.run.injector import FaultInjector
from tests.chaos.run.ledger import Ledger, open_ledger
from tests.chaos.run.plan import Plan
from tests.chaos.run.programs import KnownTask, make_tasks
from tests.chaos.run.submit import ANSWER_SECONDS, Submitter
from tests.chaos.run.watch import OrphanWatch, leftovers
from tests.chaos.testbed.deployment import Deployment, open_deployment
from tests.chaos.testbed.store import DATABASE_DOWN
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
    async with (
        open_deployment(plan) as deployment,
        open_callbacks(plan.seed) as callbacks,
        httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=_LIMITS) as http,
    ):
        with open_ledger(deployment.directory / "ledger.jsonl") as ledger:
            this_run = _Run(plan=plan, deployment=deployment, callbacks=callbacks, http=http, ledger=ledger)
            async with _running(this_run.watch.run()):
                await this_run.inject()
                await this_run.settle()
                await this_run.examine()
            await this_run.end()
            outcome = this_run.outcome()
            if logs is not None and (outcome.violations or keep_logs):
                keep(deployment.directory, logs / outcome.name)
            return outcome


@dataclass(slots=True, kw_only=True)
class _Run:
    """The parts of a run, and what it has found so far."""

    plan: Plan
    deployment: Deployment
    callbacks: Callbacks
    http: httpx.AsyncClient
    ledger: Ledger
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    settle_seconds: float = 0.0
    tasks: Sequence[StoredTask] = ()
    violations: list[Violation] = field(default_factory=list)
    known: Sequence[KnownTask] = field(init=False)
    context: FaultContext = field(init=False)
    submitter: Submitter = field(init=False)
    injector: FaultInjector = field(init=False)
    watch: OrphanWatch = field(init=False)

    def __post_init__(self) -> None:
        plan, deployment = self.plan, self.deployment
        self.known = make_tasks(plan.tasks, seed=plan.seed, long_share=plan.long_share)
        rng = Random(f"faults-{plan.seed}")
        self.context = FaultContext(plan=plan, deployment=deployment, rng=rng, ledger=self.ledger, http=self.http)
        self.submitter = Submitter(
            run=f"{plan.name}-{self.started_at:%H%M%S}",
            http=self.http,
            ports=deployment.ports,
            ledger=self.ledger,
            rng=Random(f"submit-{plan.seed}"),
            repeat=deployment.features.idempotency,
            callback=self.callbacks.url if deployment.features.callbacks else None,
        )
        self.injector, self.watch = FaultInjector(plan, self.context), OrphanWatch(deployment)

    async def inject(self) -> None:
        """Submit all tasks while faults are injected."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.submitter.submit(self.known, self.plan.seconds))
            group.create_task(self.injector.inject())

    async def settle(self) -> None:
        """Wait, without faults, until every task has ended, or none has for as long as the plan allows.

        A task with a callback has ended for its receiver once the message about it has arrived.
        """
        await repair(self.context)
        calm = progress = time.monotonic()
        fewest = None
        while (left := await self._unfinished()) != 0 and time.monotonic() - progress < self.plan.settle_seconds:
            if left is not None and (fewest is None or left < fewest):
                fewest, progress = left, time.monotonic()
            await asyncio.sleep(POLL_SECONDS)
        self.settle_seconds = time.monotonic() - calm

    async def _unfinished(self) -> int | None:
        try:
            unfinished = len(await self.deployment.store.unfinished(2 * self.plan.tasks))
        except DATABASE_DOWN:
            return None  # still recovering from the last fault
        if not self.deployment.features.callbacks:
            return unfinished
        return unfinished + len(self.callbacks.missing(self.ledger.acknowledgements()))

    async def examine(self) -> None:
        """Read everything while the service still runs."""
        self.tasks = await self.deployment.store.tasks()
        self.violations += await api_agrees(self.deployment, self.http, self.tasks)
        self.violations += await servers_at_rest(self.deployment)

    async def end(self) -> None:
        """End the service, and gather what was noticed on the way."""
        await self.deployment.supervisor.close()
        self.violations += await leftovers(self.deployment)
        for witness in (self.watch, self.deployment.supervisor, self.submitter):
            self.violations += witness.violations

    def outcome(self) -> Outcome:
        """The verdict."""
        injections = self.injector.injections
        evidence = Evidence(
            ledger=self.ledger,
            known=self.known,
            tasks=self.tasks,
            journal=read_journal(self.deployment.directory),
            messages=self.callbacks.accepted if self.deployment.features.callbacks else None,
            keys_hold=self.deployment.features.idempotency,
            simulators_killed=sum(injection.kind == "kill_simulator" for injection in injections),
            workers_killed=not self.plan.spares_workers,
        )
        return Outcome(
            plan=self.plan,
            features=self.deployment.features,
            started_at=self.started_at,
            seconds=time.monotonic() - self.began,
            settle_seconds=self.settle_seconds,
            acknowledged=len(self.ledger.acknowledgements()),
            retries=self.submitter.retries,
            unanswered=self.submitter.unanswered,
            starts=self.deployment.supervisor.starts,
            statuses=Counter(task.status for task in self.tasks),
            attempts=sum(task.attempt for task in self.tasks),
            injections=injections,
            missed=self.injector.missed,
            violations=[*self.violations, *evidence.violations()],
            recoveries=worker_recoveries(self.tasks, self.deployment.supervisor.killed, injections),
            broker_seconds=broker_recoveries(self.tasks, injections),
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

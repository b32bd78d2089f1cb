"""Runs the selected cases, several services at once, on an event loop of its own, and hands each test its outcome."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from itertools import count
from pathlib import Path

from tests.failpoints.remotes import Remotes
from tests.failpoints.service import Service
from tests.failpoints.services import Servers, open_distributed, open_embedded
from tests.failpoints.stimuli import STIMULI
from tests.failpoints.table import Case, Mode
from tests.failpoints.trial import Trial
from tests.failpoints.verdict import judge, require_usage, violations
from tests.forking.client import ForkServer

# More of them leave each so little of two cores that leases of a second run out and the database seems to be away.
PARALLEL_SERVICES = {Mode.DISTRIBUTED: 2, Mode.REDIS: 1, Mode.EMBEDDED: 1}
# When a mode has no more cases, its service makes room for another of a mode that has; a distributed one is three
# processes. For fewer cases than these it is not worth while to start one.
MAX_SERVICES = {Mode.DISTRIBUTED: 3, Mode.REDIS: 1, Mode.EMBEDDED: 3}
MIN_CASES = 5
# A net for cases that hang: on a busy machine one may wait a minute for the database to count as reachable again.
CASE_SECONDS = 240.0
MAX_STIMULI = 50


class Trials:
    """Every mode's cases wait in one line; each of the mode's services takes the next when it is done with one."""

    def __init__(self, cases: Sequence[Case], directory: Path, remotes: Remotes, servers: Servers | None) -> None:
        self._outcomes: Mapping[Case, Future[None]] = {case: Future() for case in cases}
        self._waiting = {mode: deque(case for case in cases if case.mode is mode) for mode in Mode}
        self._open_services: Counter[Mode] = Counter()
        self._numbers = count()
        self._directory = directory
        self._remotes = remotes
        self._servers = servers
        self._ended: Future[None] = Future()

    @contextmanager
    def running(self) -> Iterator["Trials"]:
        """Run cases in the background; leaving the context drops those that have not begun."""
        thread = threading.Thread(target=asyncio.run, args=(self._run(),), name="failpoints")
        thread.start()
        try:
            yield self
        finally:
            for line in self._waiting.values():
                line.clear()
            thread.join()

    def outcome(self, case: Case) -> None:
        """Wait for a case; raises what made it fail."""
        self._outcomes[case].result()

    def end(self) -> None:
        """Wait for the last case; raises when a task has changed after its case was over."""
        self._ended.result()

    async def _run(self) -> None:
        with ForkServer("tests.failpoints.launch") as fork_server:
            widths = {mode: min(PARALLEL_SERVICES[mode], len(self._waiting[mode])) for mode in Mode}
            rows = [self._run_services(fork_server, mode) for mode in Mode for _ in range(widths[mode])]
            ends = await asyncio.gather(*rows, return_exceptions=True)
        broken = next((end for end in ends if end is not None), None)
        for case, outcome in self._outcomes.items():
            if not outcome.done():
                outcome.set_exception(broken or RuntimeError(f"{case} was not run"))
        if broken is not None:
            self._ended.set_exception(broken)
        else:
            self._ended.set_result(None)

    async def _run_services(self, fork_server: ForkServer, mode: Mode | None) -> None:
        """Have one service after the other run cases, each of the mode with the most of them left for a service."""
        while mode is not None:
            self._open_services[mode] += 1
            await self._run_cases(fork_server, mode)
            self._open_services[mode] -= 1
            mode = self._furthest_behind()

    def _furthest_behind(self) -> Mode | None:
        left = {
            mode: len(line) / (self._open_services[mode] + 1)
            for mode, line in self._waiting.items()
            if self._open_services[mode] < MAX_SERVICES[mode]
        }
        mode = max(left, key=lambda mode: left[mode], default=None)
        return mode if mode is not None and left[mode] >= MIN_CASES else None

    async def _run_cases(self, fork_server: ForkServer, mode: Mode) -> None:
        directory = self._directory / f"{mode}-{next(self._numbers)}"
        directory.mkdir()
        trials: list[Trial] = []
        numbers = count(1)
        async with self._open(fork_server, mode, directory) as service:
            while self._waiting[mode]:
                trials.append(Trial(service, self._waiting[mode].popleft()))
                await self._settle(trials[-1], numbers)
            tasks = await service.store.tasks() if trials else []
            await require_usage(service, tasks)
        for trial in trials:
            if self._outcomes[trial.case].exception() is None:
                keys = {promise.key for promise in trial.promises}
                later = list(violations(trial, [task for task in tasks if task.correlation_id in keys]))
                assert not later, f"{trial.case}, afterwards: {later}"

    async def _settle(self, trial: Trial, numbers: Iterator[int]) -> None:
        outcome, began = self._outcomes[trial.case], time.monotonic()
        try:
            async with asyncio.timeout(CASE_SECONDS):
                await run(trial, numbers)
        except Exception as error:
            error.add_note(f"{trial.case} in {trial.service.directory}")
            outcome.set_exception(error)
        else:
            outcome.set_result(None)
        finally:
            trial.service.control.clear()
        with (trial.service.directory / "seconds.txt").open("a") as record:
            record.write(f"{time.monotonic() - began:6.1f} {trial.case}\n")

    def _open(self, fork_server: ForkServer, mode: Mode, directory: Path) -> AbstractAsyncContextManager[Service]:
        if mode is Mode.EMBEDDED:
            return open_embedded(fork_server, directory, self._remotes)
        assert self._servers is not None
        return open_distributed(fork_server, directory, self._servers, mode, self._remotes)


async def run(trial: Trial, numbers: Iterator[int]) -> None:
    """Bring the service to the case's point until it is struck, see it recover, and judge what is left."""
    stimulate = STIMULI[trial.case.row.stimulus]
    for number in numbers:
        await stimulate(trial, number)
        trial.service.control.release()
        if trial.struck is not None:
            break
        assert len(trial.promises) < MAX_STIMULI, f"{trial.case} was never reached"
        await trial.all_ended()  # or simulators would still be at work when the next are held
    await trial.recover()
    if trial.check is not None:
        await trial.check()
    await judge(trial)

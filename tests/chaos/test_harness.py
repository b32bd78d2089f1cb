"""The parts of the chaos harness that its verdict rests on."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.chaos.run.injector import Injection
from tests.chaos.run.ledger import Cancellation, open_ledger
from tests.chaos.run.programs import make_tasks
from tests.chaos.run.watch import ORPHAN_SECONDS, OrphanWatch
from tests.chaos.stories import START, acknowledged, completed_task
from tests.chaos.testbed import parent_death
from tests.chaos.testbed.deployment import Deployment, Features
from tests.chaos.testbed.logpipe import LogPipe
from tests.chaos.testbed.procfs import Found, processes_of
from tests.chaos.testbed.store import DATABASE_DOWN, SqliteStore
from tests.chaos.testbed.supervisor import Supervisor
from tests.chaos.verdict.journal import read_journal
from tests.chaos.verdict.recovery import broker_recoveries, worker_recoveries
from tests.chaos.verdict.report import percentile
from tests.reference import assert_counts_match, terminal_probabilities

WAIT_SECONDS = 120.0


def test_programs_are_seeded_and_tell_their_numbers() -> None:
    tasks = make_tasks(300, seed=1, long_share=0.06)
    assert tasks == make_tasks(300, seed=1, long_share=0.06)
    assert {task.kind for task in tasks} == {"basis", "bell", "ghz", "long", "wrong"}
    outcomes = [frozenset(task.probabilities) for task in tasks if task.probabilities]
    assert len(set(outcomes)) == len(outcomes)


def test_known_answers_agree_with_qiskit() -> None:
    bases = [task for task in make_tasks(40, seed=2, long_share=0.0) if task.kind == "basis"]
    for task in bases[:3]:
        assert_counts_match({next(iter(task.probabilities)): 10}, terminal_probabilities(task.program), 10)


def test_ledger_reads_back_what_was_promised(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger") as ledger:
        ledger.acknowledge(acknowledged())
        ledger.cancel(Cancellation(task_id="a-task", status=None))
        assert (tmp_path / "ledger").read_text().count("\n") == 2
        assert ledger.acknowledgements() == [acknowledged()]
        assert ledger.cancellations() == [Cancellation(task_id="a-task", status=None)]


def test_recovery_runs_from_kill_to_next_claim() -> None:
    killed_at = START + timedelta(seconds=2)
    [recovery] = worker_recoveries([completed_task()], {"first": killed_at}, [])
    assert (recovery.reaped_seconds, recovery.resumed_seconds, recovery.undisturbed) == (2, 3, True)
    outage = Injection(kind="kill_postmaster", target="port 1", at=killed_at, until=killed_at)
    [recovery] = worker_recoveries([completed_task()], {"first": killed_at}, [outage])
    assert not recovery.undisturbed
    assert worker_recoveries([completed_task()], {"second": killed_at}, []) == []


def test_broker_recovery_counts_tasks_begun_after_it_is_back() -> None:
    injection = Injection(kind="kill_broker", target="port 1", at=START, until=START + timedelta(seconds=4))
    assert broker_recoveries([completed_task()], [injection]) == [1]
    assert broker_recoveries([completed_task()], [replace(injection, until=START + timedelta(seconds=3))]) == [1]
    assert broker_recoveries([completed_task()], [replace(injection, until=START + timedelta(seconds=9))]) == []


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert [percentile(range(1, 101), share) for share in (0.5, 0.99, 1)] == [50, 99, 100]


def test_journal_passes_over_lines_cut_by_a_kill(tmp_path: Path) -> None:
    lines = [
        {"event": "task.completed", "task_id": "a-task", "attempt": 2, "level": "info"},
        {"event": "slot.crashed", "exception": "Traceback", "level": "error"},
    ]
    (tmp_path / "worker-0.1.log").write_text("\n".join(map(json.dumps, lines)) + '\n{"event": "task.comp')
    journal = read_journal(tmp_path)
    assert journal.outcomes == {"a-task": {"task.completed": [2]}}
    assert journal.crashes == {"slot.crashed": 1}


def test_error_of_a_handshake_cut_short_is_no_end_of_the_run() -> None:
    """asyncpg raises it outside of its other families, which ended a run of seed 3."""
    assert issubclass(asyncpg.InternalClientError, DATABASE_DOWN)


def test_simulator_without_its_worker_is_an_orphan(tmp_path: Path) -> None:
    deployment = Deployment(
        directory=tmp_path,
        supervisor=Supervisor(tmp_path, {}),
        ports=(),
        store=SqliteStore(tmp_path / "none"),
        features=Features(idempotency=True, cancellation=True),
    )
    watch = OrphanWatch(deployment)
    worker, child, orphan = Found(1, 0, False), Found(2, 1, True), Found(3, 9, True)
    watch.look([worker, child, orphan], 0.0)
    watch.look([worker, child], 1.0)
    watch.look([worker, child, orphan], 2.0)
    watch.look([worker, child, orphan], 2.0 + ORPHAN_SECONDS)
    assert watch.violations == []
    watch.look([worker, child, orphan], 2.1 + ORPHAN_SECONDS)
    assert [violation.subject for violation in watch.violations] == ["process 3"]


def test_tethered_process_dies_with_the_harness(tmp_path: Path) -> None:
    harness = (
        "import os, subprocess, sys, time\n"
        f"parent_death = [sys.executable, '-I', '-S', {str(Path(parent_death.__file__))!r}, str(os.getpid())]\n"
        f"subprocess.Popen([*parent_death, '/bin/sleep', '60'], env={{'TMPDIR': {str(tmp_path)!r}}})\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", harness])
    try:
        _wait(lambda: bool(processes_of(tmp_path)))
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    _wait(lambda: not processes_of(tmp_path))


async def test_supervisor_restarts_what_was_killed_and_accuses_what_ends_by_itself(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, {"KETLINE_DATA_DIR": str(tmp_path / "data")})
    supervisor.keep("wrong-0", "no-such-command")
    try:
        await asyncio.to_thread(_wait, lambda: len(supervisor.violations) >= 2)
    finally:
        await supervisor.close()
    assert supervisor.violations[1].subject == "wrong-0.2"
    assert not processes_of(tmp_path)


async def test_log_is_copied_but_while_it_is_left_unread(tmp_path: Path) -> None:
    pipe = LogPipe(tmp_path / "log")
    await pipe.open()
    with pipe.unread():
        os.write(pipe.writing, b"one\n")
        await asyncio.sleep(0)
        assert not (tmp_path / "log").read_bytes()
    os.write(pipe.writing, b"two\n")
    os.close(pipe.writing)
    await pipe.ended()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


async def test_log_that_was_closed_has_no_reader(tmp_path: Path) -> None:
    pipe = LogPipe(tmp_path / "log")
    await pipe.open()
    pipe.close()
    await pipe.ended()
    with pytest.raises(BrokenPipeError):
        os.write(pipe.writing, b"one\n")
    os.close(pipe.writing)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {WAIT_SECONDS:g} s")
        time.sleep(0.02)

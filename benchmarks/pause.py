"""The worker's event loop while a long simulation runs.

As a program, `python -m benchmarks.pause SECONDS SEED`, it runs the real worker on a SQLite database, with simulators
of its own, beside a coroutine that asks to be woken every millisecond; it prints the figures as JSON.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from benchmarks.figures import PauseFigures, Spread
from benchmarks.processes import Account, Watch, end, start_module
from benchmarks.programs import layered_rotations
from ketline.cli.server.serve import worker
from ketline.config import Settings, load_settings
from ketline.domain.ids import CorrelationId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.domain.tasks.task import Task
from ketline.logs import configure_logs
from ketline.runtime.embedded import open_embedded
from ketline.service.services import Services

QUBITS = 24
SHOTS = 16
CALIBRATION_LAYERS = 4
MAX_LAYERS = 2000
TICK_SECONDS = 0.001
IDLE_SECONDS = 5.0
LEASE_SECONDS = 1.5
POLL_SECONDS = 0.25
TIME_LIMIT_SECONDS = 300.0


def main(seconds: float, seed: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, TemporaryDirectory() as directory:
        print(json.dumps(asdict(runner.run(_measure(Path(directory), seconds, seed)))))


async def measure_pause(*, seconds: float, seed: int) -> PauseFigures:
    """Measure in a process of its own, with a simulation of about `seconds`."""
    process = await start_module("benchmarks.pause", str(seconds), str(seed))
    try:
        async with asyncio.timeout(2 * TIME_LIMIT_SECONDS):
            output, _ = await process.communicate()
    finally:
        await end(process)
    if process.returncode:
        raise RuntimeError(f"the pause measurement ended with {process.returncode}")
    said = json.loads(output)
    return PauseFigures(**said | {name: Spread(**said[name]) for name in ("idle", "simulating")})


async def _measure(directory: Path, seconds: float, seed: int) -> PauseFigures:
    configure_logs("warning", "json")
    settings = _settings(directory)
    stop = asyncio.Event()
    async with open_embedded(settings, directory) as (service, parts):
        working = asyncio.create_task(worker(settings, parts).run(stop))
        try:
            layers = await _calibrate(service, seconds, seed)
            idle = await _ticks_during(asyncio.create_task(asyncio.sleep(IDLE_SECONDS)))
            watch = Watch.start({"worker": Account(os.getpid())})
            running = asyncio.create_task(_run(service, layers, seed))
            simulating = await _ticks_during(running)
            task, others = running.result(), watch.others_share()
        finally:
            stop.set()
            await working
    assert task.profile is not None
    return PauseFigures(
        simulating_seconds=task.profile.simulating_seconds,
        lease_seconds=LEASE_SECONDS,
        attempts=task.attempt,
        others=others,
        idle=idle,
        simulating=simulating,
    )


def _settings(directory: Path) -> Settings:
    # A short lease makes renewals frequent: one every half second, and the reaper looks as often.
    return load_settings(
        data_dir=directory,
        worker_slots=2,
        lease_s=LEASE_SECONDS,
        reap_interval_s=LEASE_SECONDS / 3,
        task_time_limit_s=TIME_LIMIT_SECONDS,
    )


async def _calibrate(service: Services, seconds: float, seed: int) -> int:
    """The layers that take about `seconds` on this machine, found in two steps since short runs mislead."""
    layers = CALIBRATION_LAYERS
    for target in (seconds / 10, seconds):
        profile = (await _run(service, layers, seed)).profile
        assert profile is not None
        layers = min(MAX_LAYERS, max(1, round(layers * target / profile.simulating_seconds)))
    return layers


async def _run(service: Services, layers: int, seed: int) -> Task:
    program = layered_rotations(qubits=QUBITS, layers=layers, seed=seed)
    submission = Submission(
        task_id=service.submit.new_id(),
        spec=TaskSpec(circuit=program, shots=SHOTS),
        correlation_id=CorrelationId("benchmark"),
    )
    accepted = await service.submit(submission)
    async with asyncio.timeout(TIME_LIMIT_SECONDS):
        while not (task := await service.reader.get(accepted.task_id)).status.terminal:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
    if task.status is not TaskStatus.COMPLETED:
        raise RuntimeError(f"the simulation ended as {task.status}: {task.failure}")
    return task


async def _ticks_during(work: asyncio.Task[Any]) -> Spread:
    """How much later than asked for the loop woke a ticker, tick by tick, until `work` was done."""
    late: list[float] = []
    woken = time.perf_counter()
    while not work.done():
        await asyncio.sleep(TICK_SECONDS)
        woken, before = time.perf_counter(), woken
        late.append(woken - before - TICK_SECONDS)
    return Spread.of(late)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))

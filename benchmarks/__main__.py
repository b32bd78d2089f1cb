"""Measure what the service costs beside the simulation: `bash .ci/uv run python -m benchmarks --help`."""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop

from benchmarks.backlog import measure_backlog
from benchmarks.bare import measure_bare
from benchmarks.deployment import MODES, SERVICES
from benchmarks.doors.figures import DoorsFigures
from benchmarks.doors.parts import measure_doors
from benchmarks.execution.figures import CostFigures, CountsFigures, SuiteFigures
from benchmarks.execution.parts import measure_cost, measure_counts, measure_suite
from benchmarks.execution.report import write_plots
from benchmarks.figures import (
    BacklogFigures,
    BareRound,
    Figures,
    FrontendFigures,
    LoadRound,
    MemoryFigures,
    MixFigures,
    OverheadFigures,
    PauseFigures,
    ScalingFigures,
    ServiceFigures,
    StartFigures,
    StreamsFigures,
    SubmitPauseFigures,
)
from benchmarks.frontend import measure_frontend
from benchmarks.load import measure_service
from benchmarks.machine import describe_machine
from benchmarks.memory import measure_memory
from benchmarks.mix import measure_mix
from benchmarks.naive import MISSING, is_available, measure_naive
from benchmarks.options import RESULTS, parse
from benchmarks.overhead import measure_overhead
from benchmarks.pause import measure_pause
from benchmarks.report import render, summarize
from benchmarks.scaling import measure_scaling
from benchmarks.start import measure_start
from benchmarks.streams import measure_streams
from benchmarks.submit_pause import measure_submit_pause
from ketline.config import available_cores


def main() -> None:
    options = parse(None, description=__doc__)
    if not is_available():
        _say(f"without naive: {MISSING}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_measure(options))
    page = render(figures)
    print(page)
    for name, ratio in summarize(figures).items():
        print(f"{name}: {ratio:.3f}")
    print(f"Written to {_write(figures, page)}.md and .json")
    if figures.cost:
        print("Drawn:", *write_plots(figures.cost, options.plots))


async def _measure(options: argparse.Namespace) -> Figures:
    machine, parts = describe_machine(), options.parts
    return Figures(
        machine=machine,
        bare=await _bare(options) if "bare" in parts else [],
        services=[await _service(mode, options) for mode in SERVICES if mode in parts],
        naive=await _naive(options) if "naive" in parts else [],
        backlog=[await _backlog(mode, options) for mode in MODES if "backlog" in parts],
        scaling=await _scaling(options) if "scaling" in parts else None,
        overhead=[await _overhead(mode, options) for mode in MODES if "overhead" in parts],
        memory=[row for mode in MODES if "memory" in parts for row in await _memory(mode, options)],
        streams=[await _streams(mode, options) for mode in MODES if "streams" in parts],
        doors=await _doors(options) if "doors" in parts else None,
        mix=await _mix(options) if "mix" in parts else [],
        pause=await _pause(options) if "pause" in parts else None,
        submit_pauses=[await _submit_pause(mode, options) for mode in MODES if "pause" in parts],
        start=await _start(options) if "start" in parts else None,
        frontend=await _frontend() if "frontend" in parts else None,
        counts=await _counts(options) if "counts" in parts else None,
        suite=await _suite(options) if "suite" in parts else None,
        cost=await _cost(options) if "cost" in parts else None,
    )


async def _bare(options: argparse.Namespace) -> Sequence[BareRound]:
    _say("bare Aer loop")
    cores = available_cores()
    return [
        await measure_bare(processes=cores, seconds=options.seconds, seed=options.seed) for _ in range(options.rounds)
    ]


async def _service(mode: str, options: argparse.Namespace) -> ServiceFigures:
    _say(f"{mode} service")
    async with SERVICES[mode]() as deployment:
        return await measure_service(
            deployment, rounds=options.rounds, seconds=options.seconds, sequential_tasks=options.sequential
        )


async def _naive(options: argparse.Namespace) -> Sequence[LoadRound]:
    _say("naive design")
    return await measure_naive(rounds=options.rounds, tasks=options.naive_tasks)


async def _backlog(mode: str, options: argparse.Namespace) -> BacklogFigures:
    _say(f"{mode} service with tasks stored and waiting")
    return await measure_backlog(
        mode, stored=options.rows, waiting=options.pending, rounds=options.rounds, seconds=options.seconds
    )


async def _scaling(options: argparse.Namespace) -> ScalingFigures:
    _say("more workers for waiting work")
    return await measure_scaling(task_seconds=options.sleep, seconds=options.seconds)


async def _overhead(mode: str, options: argparse.Namespace) -> OverheadFigures:
    _say(f"{mode} service beside a long simulation")
    async with MODES[mode]() as deployment:
        return await measure_overhead(deployment, seconds=options.program, rounds=options.rounds, seed=options.seed)


async def _memory(mode: str, options: argparse.Namespace) -> Sequence[MemoryFigures]:
    _say(f"memory of the {mode} service")
    async with MODES[mode]() as deployment:
        return await measure_memory(deployment, seconds=options.seconds)


async def _streams(mode: str, options: argparse.Namespace) -> StreamsFigures:
    _say(f"{mode} service followed by {options.streams} event streams")
    async with MODES[mode]() as deployment:
        return await measure_streams(
            deployment, streams=options.streams, rounds=options.rounds, seconds=options.seconds
        )


async def _doors(options: argparse.Namespace) -> DoorsFigures:
    _say("ways into the embedded service")
    async with MODES["embedded"]() as deployment:
        return await measure_doors(deployment, rounds=options.turns, on_result=_say)


async def _mix(options: argparse.Namespace) -> Sequence[MixFigures]:
    _say("longer programs and a mix, beside Aer alone")
    async with MODES["distributed"]() as deployment:
        return await measure_mix(
            deployment, rounds=options.rounds, seconds=options.seconds, seed=options.seed, on_result=_say
        )


async def _pause(options: argparse.Namespace) -> PauseFigures:
    _say("event loop beside a long simulation")
    return await measure_pause(seconds=options.simulation, seed=options.seed)


async def _submit_pause(mode: str, options: argparse.Namespace) -> SubmitPauseFigures:
    _say(f"event loop of the {mode} API while long programs are submitted")
    return await measure_submit_pause(mode, seed=options.seed)


async def _start(options: argparse.Namespace) -> StartFigures:
    _say("start of an API process")
    return await measure_start(starts=options.starts)


async def _frontend() -> FrontendFigures:
    _say("text to circuit")
    return await measure_frontend()


async def _counts(options: argparse.Namespace) -> CountsFigures:
    _say("text to counts")
    return await measure_counts(rounds=options.bells)


async def _suite(options: argparse.Namespace) -> SuiteFigures:
    _say("suite of circuits")
    return await measure_suite(seconds=options.circuit)


async def _cost(options: argparse.Namespace) -> CostFigures:
    _say("cost as the work grows")
    return await measure_cost(largest=not options.quick)


def _write(figures: Figures, page: str) -> Path:
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / figures.machine.started_at.replace(":", "").replace("+0000", "Z")
    target.with_suffix(".md").write_text(page)
    target.with_suffix(".json").write_text(json.dumps(asdict(figures), indent=2))
    return target


def _say(part: str) -> None:
    print(f"… {part}", flush=True)


if __name__ == "__main__":
    main()

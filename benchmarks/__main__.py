"""Measure what the service costs beside the simulation: `uv run python -m benchmarks --help`."""

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path

import uvloop

from benchmarks.bare import measure_bare
from benchmarks.deployment import Deployment, open_distributed, open_embedded
from benchmarks.figures import BareRound, Figures, FrontendFigures, PauseFigures, ServiceFigures, StartFigures
from benchmarks.frontend import measure_frontend
from benchmarks.load import measure_service
from benchmarks.machine import describe_machine
from benchmarks.pause import measure_pause
from benchmarks.report import render, summarize
from benchmarks.start import measure_start
from ketline.config import available_cores

PARTS = ("bare", "embedded", "distributed", "pause", "start", "frontend")
RESULTS = Path(__file__).with_name("results")

_MODES: dict[str, Callable[[], AbstractAsyncContextManager[Deployment]]] = {
    "embedded": open_embedded,
    "distributed": open_distributed,
}


def main() -> None:
    options = _parse()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_measure(options))
    page = render(figures)
    print(page)
    for name, ratio in summarize(figures).items():
        print(f"{name}: {ratio:.3f}")
    print(f"Written to {_write(figures, page)}.md and .json")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round of load (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts (%(default)s)")
    parser.add_argument("--sequential", type=int, default=300, help="tasks run one after the other (%(default)s)")
    parser.add_argument("--simulation", type=float, default=20.0, help="seconds of the long simulation (%(default)s)")
    parser.add_argument("--starts", type=int, default=10, help="starts of an API process (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulator and the programs (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of 3 s, 100 tasks, a simulation of 5 s")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options.parts = options.parts or list(PARTS)
    if options.quick:
        options.seconds, options.rounds, options.sequential, options.simulation = 3.0, 1, 100, 5.0
    return options


async def _measure(options: argparse.Namespace) -> Figures:
    machine = describe_machine()
    return Figures(
        machine=machine,
        bare=await _bare(options) if "bare" in options.parts else [],
        services=[await _service(mode, options) for mode in _MODES if mode in options.parts],
        pause=await _pause(options) if "pause" in options.parts else None,
        start=await _start(options) if "start" in options.parts else None,
        frontend=await _frontend() if "frontend" in options.parts else None,
    )


async def _bare(options: argparse.Namespace) -> Sequence[BareRound]:
    _say("bare Aer loop")
    cores = available_cores()
    return [
        await measure_bare(processes=cores, seconds=options.seconds, seed=options.seed) for _ in range(options.rounds)
    ]


async def _service(mode: str, options: argparse.Namespace) -> ServiceFigures:
    _say(f"{mode} service")
    async with _MODES[mode]() as deployment:
        return await measure_service(
            deployment, rounds=options.rounds, seconds=options.seconds, sequential_tasks=options.sequential
        )


async def _pause(options: argparse.Namespace) -> PauseFigures:
    _say("event loop beside a long simulation")
    return await measure_pause(seconds=options.simulation, seed=options.seed)


async def _start(options: argparse.Namespace) -> StartFigures:
    _say("start of an API process")
    return await measure_start(starts=options.starts)


async def _frontend() -> FrontendFigures:
    _say("text to circuit")
    return await measure_frontend()


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

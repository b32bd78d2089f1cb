"""Two services of one mode under the same load in turns, and how their tasks a second compare."""

import argparse
import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from statistics import median

import uvloop

from benchmarks.deployment import LOAD_GENERATOR, MODES, NO_SETTINGS, Deployment, Opened
from benchmarks.figures import LoadRound
from benchmarks.load import measure_rounds


def compare(
    module: str,
    description: str | None,
    *,
    columns: tuple[str, str],
    projects: tuple[int, int] = (0, 0),
    settings: tuple[Mapping[str, str], Mapping[str, str]] = (NO_SETTINGS, NO_SETTINGS),
) -> None:
    """The command line `python -m benchmarks.MODULE [MODE ...]`: prints a row of a table for each mode.

    The two services have their `settings`. `projects` says of how many projects each of them authenticates requests;
    0 means without keys.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=description)
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"of {', '.join(MODES)}; default: all")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each service, in turns (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round of load (%(default)s)")
    options = parser.parse_args()
    print(
        f"| mode | rounds | tasks/s {columns[0]} | {columns[1]} | of each pair: median | lowest | highest "
        "| processor time a task, of each pair: median |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for mode in options.modes or MODES:
            first, second = (_opened(MODES[mode], number, own) for number, own in zip(projects, settings, strict=True))
            runner.run(_compare(mode, (first, second), options.rounds, options.seconds))


def _opened(opened: Opened, projects: int, settings: Mapping[str, str]) -> AbstractAsyncContextManager[Deployment]:
    return opened(projects=projects, settings=settings)


async def _compare(
    mode: str,
    services: tuple[AbstractAsyncContextManager[Deployment], AbstractAsyncContextManager[Deployment]],
    rounds: int,
    seconds: float,
) -> None:
    pairs: list[tuple[LoadRound, LoadRound]] = []
    async with services[0] as one, services[1] as other:
        for number in range(rounds):
            # The first of a pair alternates, so that a machine that slows down or warms up favours neither.
            order = (one, other) if number % 2 == 0 else (other, one)
            [first], [second] = [await measure_rounds(service, rounds=1, seconds=seconds) for service in order]
            pairs.append((first, second) if number % 2 == 0 else (second, first))
    rates = [(first.tasks_per_second, second.tasks_per_second) for first, second in pairs]
    ratios = [second / first for first, second in rates]
    first_rate, second_rate = (median(of) for of in zip(*rates, strict=True))
    spread = f"{median(ratios):.3f} | {min(ratios):.3f} | {max(ratios):.3f}"
    used = median(_processor_ms(second) / _processor_ms(first) for first, second in pairs)
    print(f"| {mode} | {rounds} | {first_rate:.0f} | {second_rate:.0f} | {spread} | {used:.3f} |", flush=True)


def _processor_ms(measured: LoadRound) -> float:
    """The processor time of a task over all processes of the service, not of the load generator."""
    return sum(spent for name, spent in measured.cpu_ms.items() if name != LOAD_GENERATOR)

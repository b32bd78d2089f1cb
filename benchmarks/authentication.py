"""What authentication costs: one service with keys and one without, under the same load in turns.

`python -m benchmarks.authentication` runs both embedded services, and then both distributed ones, at the same time; the
one that has no turn is idle.
"""

import argparse
import asyncio
from statistics import median

import uvloop

from benchmarks.deployment import MODES, Opened
from benchmarks.figures import LoadRound
from benchmarks.load import measure_rounds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.authentication", description=__doc__)
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"of {', '.join(MODES)}; default: all")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each service, in turns (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round of load (%(default)s)")
    options = parser.parse_args()
    print("| mode | rounds | tasks/s without keys | with keys | of each pair: median | lowest | highest |")
    print("|---|---|---|---|---|---|---|")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for mode in options.modes or MODES:
            runner.run(_compare(mode, MODES[mode], options.rounds, options.seconds))


async def _compare(mode: str, opened: Opened, rounds: int, seconds: float) -> None:
    pairs: list[tuple[LoadRound, LoadRound]] = []
    async with opened() as without, opened(keys=True) as authenticated:
        for number in range(rounds):
            # The first of a pair alternates, so that a machine that slows down or warms up favours neither.
            order = (without, authenticated) if number % 2 == 0 else (authenticated, without)
            [first], [second] = [await measure_rounds(one, rounds=1, seconds=seconds) for one in order]
            pairs.append((first, second) if number % 2 == 0 else (second, first))
    rates = [(free.tasks_per_second, keyed.tasks_per_second) for free, keyed in pairs]
    ratios = [keyed / free for free, keyed in rates]
    open_rate, keyed_rate = (median(of) for of in zip(*rates, strict=True))
    spread = f"{median(ratios):.3f} | {min(ratios):.3f} | {max(ratios):.3f}"
    print(f"| {mode} | {rounds} | {open_rate:.0f} | {keyed_rate:.0f} | {spread} |", flush=True)


if __name__ == "__main__":
    main()

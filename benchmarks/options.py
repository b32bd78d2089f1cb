"""What of the benchmark is to run, and for how long."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.naive import MISSING, is_available

RESULTS = Path(__file__).with_name("results")
PARTS = (
    "bare",
    "embedded",
    "distributed",
    "redis",
    "naive",
    "backlog",
    "scaling",
    "overhead",
    "memory",
    "streams",
    "doors",
    "mix",
    "pause",
    "start",
    "frontend",
    "counts",
    "suite",
    "cost",
)
QUICK = {
    "seconds": 3.0,
    "rounds": 1,
    "sequential": 100,
    "simulation": 5.0,
    "naive_tasks": 60,
    "rows": 20_000,
    "pending": 2_000,
    "program": 3.0,
    "bells": 100,
    "circuit": 0.5,
    "turns": 1,
}


def parse(
    arguments: Sequence[str] | None, *, description: str | None, naive: Callable[[], bool] = is_available
) -> argparse.Namespace:
    """The options of a command line; `parts` are those asked for, or all that can be run.

    `naive` says whether the part of that name can be.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=description)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round of load (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts (%(default)s)")
    parser.add_argument("--sequential", type=int, default=300, help="tasks run one after the other (%(default)s)")
    parser.add_argument("--naive-tasks", type=int, default=300, help="tasks of a naive round (%(default)s)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="finished tasks stored for backlog (%(default)s)")
    parser.add_argument("--pending", type=int, default=100_000, help="tasks that wait for backlog (%(default)s)")
    parser.add_argument("--sleep", type=float, default=0.25, help="seconds of a task for scaling (%(default)s)")
    parser.add_argument("--program", type=float, default=10.0, help="seconds of the overhead's program (%(default)s)")
    parser.add_argument("--simulation", type=float, default=20.0, help="seconds of the pause's program (%(default)s)")
    parser.add_argument("--streams", type=int, default=300, help="event streams of all tasks (%(default)s)")
    parser.add_argument("--starts", type=int, default=10, help="starts of an API process (%(default)s)")
    parser.add_argument("--bells", type=int, default=1000, help="rounds of the part 'counts' (%(default)s)")
    parser.add_argument("--circuit", type=float, default=3.0, help="seconds of each circuit of the suite (%(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="rounds of each way of 'doors' (%(default)s)")
    parser.add_argument("--plots", type=Path, default=RESULTS, help="where the part 'cost' draws (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulator and the programs (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of everything, shorter and with less in it")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if "naive" in options.parts and not naive():
        parser.error(MISSING)
    options.parts = options.parts or [part for part in PARTS if part != "naive" or naive()]
    if options.quick:
        vars(options).update(QUICK)
    return options

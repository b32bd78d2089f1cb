"""The bare Aer loop: what a core gives when nothing but Aer runs, on a program that was parsed once.

As a program, `python -m benchmarks.bare SECONDS SEED WORKLOAD`, it gets ready, says so, waits for a line and prints the
tasks it ran, the seconds that took and the processor time of it.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from itertools import cycle

from benchmarks.figures import BareRound
from benchmarks.processes import Account, Watch, end, read_line, say_line, start_module
from benchmarks.programs import SHOTS
from benchmarks.workloads import BELL_ONLY, WORKLOADS

PREPARE_SECONDS = 120.0
GRACE_SECONDS = 60.0
# Nothing is remembered here, so a few programs stand for all of a workload.
PARSED = 12


def main(seconds: float, seed: int, workload: str) -> None:
    # Only here: the benchmark itself uses this module too, and is to stay as light as a load generator should be.
    from qiskit import qasm3
    from qiskit_aer import AerSimulator

    circuits = cycle([qasm3.loads(text) for text in WORKLOADS[workload]()[:PARSED]])
    simulator = AerSimulator(seed_simulator=seed)

    def run() -> None:
        counts = simulator.run(next(circuits), shots=SHOTS, max_parallel_threads=1).result().get_counts()
        assert sum(counts.values()) == SHOTS

    for _ in range(50):
        run()
    print("ready", flush=True)
    sys.stdin.readline()
    tasks, started, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        run()
        tasks += 1
    print(tasks, time.perf_counter() - started, time.process_time() - used, flush=True)


async def measure_bare(*, processes: int, seconds: float, seed: int, workload: str = BELL_ONLY) -> BareRound:
    """One round of `seconds` in so many processes at once."""
    async with asyncio.TaskGroup() as group:
        starting = [
            group.create_task(start_module("benchmarks.bare", str(seconds), str(seed + number), workload))
            for number in range(processes)
        ]
    loops = [start.result() for start in starting]
    try:
        await _read_lines(loops, PREPARE_SECONDS)
        for loop in loops:
            say_line(loop, "go")
        watch = Watch.start({str(loop.pid): Account(loop.pid) for loop in loops})
        results = await _read_lines(loops, seconds + GRACE_SECONDS)
        others = watch.others_share()
    finally:
        await asyncio.gather(*map(end, loops))
    figures = [tuple(map(float, line.split())) for line in results]
    return BareRound(
        processes=processes,
        tasks_per_second=sum(tasks / took for tasks, took, _ in figures),
        cpu_ms=1000 * sum(used for _, _, used in figures) / sum(tasks for tasks, _, _ in figures),
        others=others,
    )


async def _read_lines(loops: Sequence[asyncio.subprocess.Process], timeout_seconds: float) -> list[bytes]:
    return await asyncio.gather(*(read_line(loop, timeout_seconds) for loop in loops))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3])

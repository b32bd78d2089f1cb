"""The bare Aer loop: what a core gives when nothing but Aer runs, on a program that was parsed once.

As a program, `python -m benchmarks.bare SECONDS SEED`, it gets ready, says so, waits for a line and prints the tasks
it ran and the seconds that took.
"""

import asyncio
import sys
import time
from collections.abc import Sequence

from benchmarks.figures import BareRound
from benchmarks.processes import Account, Watch, end, read_line, say_line, start_module
from benchmarks.programs import BELL, SHOTS

PREPARE_SECONDS = 120.0
GRACE_SECONDS = 60.0


def main(seconds: float, seed: int) -> None:
    # Only here: the benchmark itself uses this module too, and is to stay as light as a load generator should be.
    from qiskit import qasm3
    from qiskit_aer import AerSimulator

    circuit = qasm3.loads(BELL)
    simulator = AerSimulator(seed_simulator=seed)

    def run() -> None:
        counts = simulator.run(circuit, shots=SHOTS, max_parallel_threads=1).result().get_counts()
        assert sum(counts.values()) == SHOTS

    for _ in range(50):
        run()
    print("ready", flush=True)
    sys.stdin.readline()
    tasks, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        run()
        tasks += 1
    print(tasks, time.perf_counter() - started, flush=True)


async def measure_bare(*, processes: int, seconds: float, seed: int) -> BareRound:
    """One round of `seconds` in so many processes at once."""
    async with asyncio.TaskGroup() as group:
        starting = [
            group.create_task(start_module("benchmarks.bare", str(seconds), str(seed + number)))
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
    rate = sum(int(tasks) / float(took) for tasks, took in map(bytes.split, results))
    return BareRound(processes=processes, tasks_per_second=rate, others=others)


async def _read_lines(loops: Sequence[asyncio.subprocess.Process], timeout_seconds: float) -> list[bytes]:
    return await asyncio.gather(*(read_line(loop, timeout_seconds) for loop in loops))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))

"""What the service adds to a long simulation.

As a program, `python -m benchmarks.overhead SECONDS SEED THREADS`, it finds a program that Aer takes about so long for,
prints the number of its layers, and then for each line it reads simulates it once more and prints the seconds.
"""

import sys
import time
from asyncio.subprocess import Process
from datetime import datetime
from typing import Any

from benchmarks.connection import connect
from benchmarks.deployment import Deployment
from benchmarks.figures import OverheadFigures, OverheadRound
from benchmarks.processes import Account, Watch, end, read_line, say_line, start_module
from benchmarks.programs import layered_rotations
from ketline.config import available_cores

QUBITS = 24
SHOTS = 16
CALIBRATION_LAYERS = 4
MAX_LAYERS = 2000
READ_SECONDS = 300.0


def main(seconds: float, seed: int, threads: int) -> None:
    layers = CALIBRATION_LAYERS
    # In two steps, since short runs mislead.
    for target in (seconds / 10, seconds):
        layers = min(MAX_LAYERS, max(1, round(layers * target / _simulate(layers, seed, threads))))
    print(layers, flush=True)
    for _ in sys.stdin:
        print(_simulate(layers, seed, threads), flush=True)


def _simulate(layers: int, seed: int, threads: int) -> float:
    """How many seconds Aer takes for the circuit, which is parsed before they begin to count."""
    # Only here, as in `bare`.
    from qiskit import qasm3
    from qiskit_aer import AerSimulator

    circuit = qasm3.loads(layered_rotations(qubits=QUBITS, layers=layers, seed=seed))
    simulator = AerSimulator(seed_simulator=seed)
    started = time.perf_counter()
    counts = simulator.run(circuit, shots=SHOTS, max_parallel_threads=threads).result().get_counts()
    took = time.perf_counter() - started
    assert sum(counts.values()) == SHOTS
    return took


async def measure_overhead(deployment: Deployment, *, seconds: float, rounds: int, seed: int) -> OverheadFigures:
    """Run a program of about `seconds` alone and through the service, in turns."""
    # As many threads as the service gives a program of this size.
    bare = await start_module("benchmarks.overhead", str(seconds), str(seed), str(available_cores()))
    try:
        layers = int(await read_line(bare, READ_SECONDS))
        program = layered_rotations(qubits=QUBITS, layers=layers, seed=seed)
        await _run(deployment, layered_rotations(qubits=QUBITS, layers=1, seed=seed))
        watch = Watch.start({**deployment.accounts, "bare": Account(bare.pid)})
        measured = [await _round(deployment, bare, program) for _ in range(rounds)]
        others = watch.others_share()
    finally:
        await end(bare)
    return OverheadFigures(mode=deployment.mode, others=others, rounds=measured)


async def _round(deployment: Deployment, bare: Process, program: str) -> OverheadRound:
    say_line(bare, "again")
    alone = float(await read_line(bare, READ_SECONDS))
    client, task = await _run(deployment, program)
    profile = task["profile"]
    recorded = datetime.fromisoformat(task["completed_at"]) - datetime.fromisoformat(task["submitted_at"])
    return OverheadRound(
        bare=alone,
        simulator=profile["parsing_seconds"] + profile["simulating_seconds"],
        recorded=recorded.total_seconds(),
        client=client,
    )


async def _run(deployment: Deployment, program: str) -> tuple[float, dict[str, Any]]:
    """The seconds until a waiting client had the completed task, and the task."""
    async with connect(deployment.port) as client:
        started = time.perf_counter()
        task = await client.run(program, SHOTS)
        took = time.perf_counter() - started
    if task["status"] != "completed":
        raise RuntimeError(f"task {task['task_id']} ended as {task['status']}")
    return took, task


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

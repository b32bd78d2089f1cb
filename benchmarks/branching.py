"""Circuits that branch, with Lightning and on Aer alone: `python -m benchmarks.branching [--shots 1024]`.

Each program is read once and run in turn on two simulators, of which one may use Aer only, on one thread. Aer, which
simulates every shot, gets so many shots as take some seconds, and the time of all is computed from these.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from random import Random
from statistics import median

from benchmarks.execution import dynamic
from ketline.domain.circuits.method import Method
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator

_ROUNDS = 3
_AMPLITUDES_ON_AER = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=int, default=1024)
    shots = parser.parse_args().shots
    limits = ExecutionLimits(memory_bytes=2 << 30)
    simulators = [Simulator(limits), Simulator(ExecutionLimits(lightning=False, memory_bytes=2 << 30))]
    print("| program | qubits | operations | here, ms | Aer, ms | ratio |\n|---|---|---|---|---|---|")
    for name, text in _programs():
        program = load_program(text, limits)
        few = max(1, min(shots, _AMPLITUDES_ON_AER >> program.lowered.num_qubits))
        here, aer = _by_turns(program, simulators, (shots, few))
        aer *= shots / few
        operations = sum(program.lowered.operations.values())
        print(
            f"| {name} | {program.lowered.num_qubits} | {operations} | {1000 * here:.3g} | {1000 * aer:.3g} | "
            f"{here / aer:.1g} |",
            flush=True,
        )


def _programs() -> Sequence[tuple[str, str]]:
    return [
        ("teleportation among rotations", _teleportation(14)),
        ("teleportation among rotations", _teleportation(20)),
        ("repetition code, 3 rounds", dynamic.repetition_code(7, 3)),
        ("3 measured on the way", dynamic.measured_on_the_way(12, 3, 1)),
        ("3 measured on the way", dynamic.measured_on_the_way(16, 3, 1)),
        ("3 measured on the way", dynamic.measured_on_the_way(20, 3, 1)),
        ("10 measured on the way", dynamic.measured_on_the_way(13, 10, 1)),
    ]


def _teleportation(qubits: int) -> str:
    """A state is sent from the first qubit to the third; all others are rotated and entangled with it."""
    angles = Random(qubits)
    lines = ["h q[1];", "cx q[1], q[2];", "ry(1) q[0];", "cx q[0], q[1];", "h q[0];"]
    lines += ["c[0] = measure q[0];", "c[1] = measure q[1];", "if (c[1]) x q[2];", "if (c[0]) z q[2];"]
    for _ in range(3):
        lines += [f"ry({angles.uniform(-3, 3)!r}) q[{qubit}];" for qubit in range(2, qubits)]
        lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(2, qubits - 1)]
    lines += [f"c[{qubit}] = measure q[{qubit}];" for qubit in range(2, qubits)]
    return "\n".join(
        ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{qubits}] q;", f"bit[{qubits}] c;", *lines, ""]
    )


def _by_turns(program: Program, simulators: Sequence[Simulator], shots: Sequence[int]) -> list[float]:
    """The median processor seconds of a run on each simulator."""
    runs = [_run(program, *pair) for pair in zip(simulators, shots, strict=True)]
    times = [[_seconds(run) for run in runs] for _ in range(_ROUNDS)]
    return [median(column) for column in zip(*times, strict=True)]


def _run(program: Program, simulator: Simulator, shots: int) -> Callable[[], object]:
    options = RunOptions(method=Method.STATEVECTOR, seed=1)
    return lambda: simulator.run(program, shots, options)


def _seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main()

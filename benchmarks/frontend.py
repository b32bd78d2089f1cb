"""Text to circuit: the scanner against `qiskit.qasm3.loads`, and OpenQASM 2 against `qiskit.qasm2.loads`.

As a program, `python -m benchmarks.frontend`, it prints a line of JSON for each length of program and waits for a line.
Rounds of both readers take turns, and processor time counts, since others may share the machine.
"""

import gc
import json
import random
import sys
import time
from collections.abc import Callable
from statistics import median

from benchmarks.figures import FrontendFigures, Openqasm2Reading, Reading
from benchmarks.processes import Account, Watch, end, read_line, start_module
from benchmarks.programs import BELL

OPENQASM2_BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0], q[1]; measure q -> c;'
_WIDTH = 20
_SECONDS = 300.0
# Program, rounds, readings by the importer in a round; the scanner does more of them.
_LENGTHS = (("Bell", 0, 25, 20), ("40 gates", 40, 15, 5), ("528 gates", 528, 9, 1), ("10,000 gates", 10_000, 5, 1))


def main() -> None:
    for name, gates, rounds, repeats in _LENGTHS:
        text = mixed_gates(gates) if gates else BELL
        loads, scanner, first = _compare(text, rounds, repeats)
        print(json.dumps({"program": name, "loads_ms": loads, "scanner_ms": scanner, "first_ms": first}), flush=True)
    for name, gates, rounds, repeats in _LENGTHS:
        text = as_openqasm2(mixed_gates(gates)) if gates else OPENQASM2_BELL
        loads, reader = _compare_openqasm2(text, rounds, repeats)
        print(json.dumps({"program": name, "loads_ms": loads, "reader_ms": reader}), flush=True)
    sys.stdin.readline()


async def measure_frontend() -> FrontendFigures:
    """Read programs of several lengths in a process of its own."""
    process = await start_module("benchmarks.frontend")
    try:
        watch = Watch.start({"readers": Account(process.pid)})
        lines = [await read_line(process, _SECONDS) for _ in _LENGTHS]
        older = [await read_line(process, _SECONDS) for _ in _LENGTHS]
        others = watch.others_share()
    finally:
        await end(process)
    return FrontendFigures(
        readings=[Reading(**json.loads(line)) for line in lines],
        openqasm2=[Openqasm2Reading(**json.loads(line)) for line in older],
        others=others,
    )


def mixed_gates(number: int) -> str:
    """A program of rotations, Clifford gates and controlled phases, as an exporter would write it."""
    choices = random.Random(number)
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"bit[{_WIDTH}] c;", f"qubit[{_WIDTH}] q;"]
    for _ in range(number):
        one, other = choices.sample(range(_WIDTH), 2)
        kinds = (
            f"h q[{one}];",
            f"rz({choices.uniform(-6, 6)!r}) q[{one}];",
            f"cx q[{one}], q[{other}];",
            f"cp(pi/{2 ** choices.randrange(1, 9)}) q[{one}], q[{other}];",
            f"U({choices.uniform(-3, 3)!r}, {choices.uniform(-3, 3)!r}, pi/4) q[{one}];",
        )
        lines.append(choices.choice(kinds))
    return "\n".join([*lines, "c = measure q;", ""])


def as_openqasm2(text: str) -> str:
    """A program of `mixed_gates` in version 2, of which it uses no more than that has under other names."""
    older = text.replace("OPENQASM 3.0;", "OPENQASM 2.0;").replace("stdgates.inc", "qelib1.inc")
    older = older.replace(f"bit[{_WIDTH}] c;", f"creg c[{_WIDTH}];").replace(
        f"qubit[{_WIDTH}] q;", f"qreg q[{_WIDTH}];"
    )
    return older.replace("c = measure q;", "measure q -> c;")


def _compare_openqasm2(text: str, rounds: int, repeats: int) -> tuple[float, float]:
    """Median milliseconds for one reading of a text: by Qiskit alone, and by Ketline with its checks around that."""
    from qiskit import qasm2

    from ketline.execution.frontend.openqasm2 import read_circuit
    from ketline.execution.limits import ExecutionLimits

    limits = ExecutionLimits()
    gates = qasm2.LEGACY_CUSTOM_INSTRUCTIONS
    loads, reader = [], []
    for _ in range(rounds):
        loads.append(_milliseconds(lambda: qasm2.loads(text, custom_instructions=gates), repeats))
        reader.append(_milliseconds(lambda: read_circuit(text, limits), repeats))
    return median(loads), median(reader)


def _compare(text: str, rounds: int, repeats: int) -> tuple[float, float, float]:
    """Median milliseconds for one reading of a text: by Qiskit, by the scanner, by a scanner that remembers nothing."""
    # Only here, as in `bare`.
    from qiskit import qasm3

    from ketline.execution.frontend.scanner import clear_caches, scan
    from ketline.execution.limits import ExecutionLimits

    limits = ExecutionLimits()

    def read() -> object:
        scanned = scan(text, limits)
        assert scanned is not None
        return scanned.plain.circuit  # made on demand: a simulation gate by gate needs only the steps

    gc.collect()
    gc.freeze()  # as a simulator process does
    loads, scanner, first = [], [], []
    for _ in range(rounds):
        loads.append(_milliseconds(lambda: qasm3.loads(text), repeats))
        scanner.append(_milliseconds(read, 5 * repeats))
        for _ in range(repeats):
            clear_caches()
            first.append(_milliseconds(read, 1))
    return median(loads), median(scanner), median(first)


def _milliseconds(read: Callable[[], object], repeats: int) -> float:
    gc.collect()  # what the other reader left
    started = time.process_time()
    for _ in range(repeats):
        read()
    return 1000 * (time.process_time() - started) / repeats


if __name__ == "__main__":
    main()

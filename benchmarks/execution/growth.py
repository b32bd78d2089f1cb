"""How the cost of a task grows with its sizes, text to counts: `python -m benchmarks.execution.growth [largest]`.

Every point is the faster of two runs or more, in turns with Aer alone on the circuit that the service reads.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from benchmarks.execution import families
from benchmarks.execution.children import say
from benchmarks.execution.figures import CostCurve, CostPoint
from benchmarks.execution.profiling import parts_of
from benchmarks.execution.way import AerAlone, ServiceWay
from benchmarks.programs import SHOTS
from ketline.execution.frontend.readers import read_program
from ketline.execution.frontend.scanner import clear_caches
from ketline.execution.limits import ExecutionLimits

_LAYERS = 2
_SHORT_SECONDS = 0.5
_MAX_RUNS = 20
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A program with its shots, and what gives the limit on its cost in seconds."""

    size: int
    text: str
    shots: int
    limit: Callable[[Any, AerAlone], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """A size that grows; the tasks up to the number `quick` are not the largest."""

    size: str
    program: str
    limit: str
    tasks: Sequence[_Task]
    quick: int


def main(*, largest: bool) -> None:
    service, aer = ServiceWay(), AerAlone()
    say(asdict(_curve(axis, service, aer, largest=largest)) for axis in _axes())


def _axes() -> Iterator[_Axis]:
    rotations = families.rotations(10, 5, 1)
    yield _Axis(
        size="shots",
        program="10 qubits, 5 layers of rotations and cx",
        limit="one multinomial draw of the shots from 2^10 equal probabilities",
        tasks=[
            _Task(size=10**power, text=rotations, shots=10**power, limit=partial(_drawing, 10, 10**power))
            for power in range(7)
        ],
        quick=6,
    )
    yield _Axis(
        size="qubits",
        program=f"{_LAYERS} layers of rotations and cx, 1,024 shots",
        limit="for each layer one pass over the state, in the time in which numpy multiplies 2^n amplitudes in place",
        tasks=[
            _Task(size=n, text=families.rotations(n, _LAYERS, n), shots=SHOTS, limit=partial(_passes, n))
            for n in range(2, 25, 2)
        ],
        quick=9,
    )
    yield _Axis(
        size="gates",
        program="8 qubits, mixed gates, 1,024 shots",
        limit="what Aer says of its own time in C++ for one shot: all of Python and of sampling left out",
        tasks=[
            _Task(size=n, text=families.mixed(8, n, n), shots=SHOTS, limit=_simulating)
            for n in (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
        ],
        quick=7,
    )
    yield _Axis(
        size="result keys",
        program="h on each qubit, four shots for each key and at least 1,024",
        limit="writing as many keys with a count as JSON",
        tasks=[
            _Task(
                size=2**n,
                text=families.program(n, [f"h q[{qubit}];" for qubit in range(n)]),
                shots=max(SHOTS, 4 << n),
                limit=partial(_writing, n),
            )
            for n in range(1, 19)
        ],
        quick=14,
    )


def _curve(axis: _Axis, service: ServiceWay, aer: AerAlone, *, largest: bool) -> CostCurve:
    tasks = axis.tasks if largest else axis.tasks[: axis.quick]
    points = [_point(task, service, aer) for task in tasks]
    return CostCurve(size=axis.size, program=axis.program, limit=axis.limit, points=points)


def _point(task: _Task, service: ServiceWay, aer: AerAlone) -> CostPoint:
    circuit = read_program(task.text, ExecutionLimits()).circuit
    service.result(_unknown(task.text), task.shots)  # raises what does not run
    alone = aer.runs(circuit, task.shots)
    ours: list[float] = []
    bare: list[float] = []
    started = time.perf_counter()
    while len(ours) < 2 or (time.perf_counter() - started < _SHORT_SECONDS and len(ours) < _MAX_RUNS):
        ours.append(_seconds(service.runs(_unknown(task.text), task.shots)))
        bare.append(_seconds(alone))
    return CostPoint(
        size=task.size,
        service_ms=1000 * min(ours),
        aer_ms=1000 * min(bare),
        limit_ms=1000 * task.limit(circuit, aer),
        parts=parts_of(service.runs(_unknown(task.text), task.shots)),
    )


def _unknown(text: str) -> str:
    """The program as a text that never came before, and no statement remembered."""
    clear_caches()
    return text + " " * next(_NUMBERS)


def _seconds(run: Callable[[], object]) -> float:
    """Processor time: one thread works."""
    started = time.process_time()
    run()
    return time.process_time() - started


def _quickest(run: Callable[[], object]) -> float:
    return min(_seconds(run) for _ in range(3))


def _drawing(qubits: int, shots: int, _circuit: Any, _aer: AerAlone) -> float:
    random, probabilities = np.random.default_rng(1), np.full(1 << qubits, 0.5**qubits)
    return _quickest(lambda: random.multinomial(shots, probabilities))


def _passes(qubits: int, _circuit: Any, _aer: AerAlone) -> float:
    state = np.ones(1 << qubits, dtype=np.complex128)
    return _LAYERS * _quickest(lambda: np.multiply(state, 1j, out=state))


def _simulating(circuit: Any, aer: AerAlone) -> float:
    return min(aer.simulating_seconds(circuit, 1) for _ in range(3))


def _writing(qubits: int, _circuit: Any, _aer: AerAlone) -> float:
    counts = {f"{outcome:0{qubits}b}": 4 for outcome in range(1 << qubits)}
    return _quickest(lambda: json.dumps(counts, separators=(",", ":")))


if __name__ == "__main__":
    main(largest="largest" in sys.argv)

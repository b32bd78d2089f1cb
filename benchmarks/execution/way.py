"""The way of a program through a simulator process, and Aer alone, timed in turns."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from qiskit import transpile
from qiskit_aer import AerError, AerSimulator

from benchmarks.execution.figures import Cost
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request, decode_request, encode_request
from ketline.execution.protocol.responses import decode_response, encode_response

# Makes ready what is timed then, for the round of this number.
Way = Callable[[int], Callable[[], Any]]


class ServiceWay:
    """What a simulator process does with an order: it decodes it, runs the program and encodes the answer."""

    def __init__(self) -> None:
        self._executor = Executor(ExecutionLimits())
        self._executor.warm_up()

    def runs(self, text: str, shots: int, seed: int | None = None) -> Callable[[], bytes]:
        """Runs a program each time it is called, and gives the answer as it is sent."""
        data = encode_request(Request(TaskSpec(circuit=text, shots=shots, options=RunOptions(seed=seed))))

        def run() -> bytes:
            order = decode_request(data)
            return encode_response(self._executor.respond(order), order)

        return run

    def result(self, text: str, shots: int) -> RunResult:
        """The result of one run.

        Raises:
            ExecutionFailed: the program does not run.
        """
        return result_in(self.runs(text, shots)(), shots)


def result_in(answer: bytes, shots: int) -> RunResult:
    """The result in an answer, checked as the service checks it.

    Raises:
        ExecutionFailed: it is a failure.
    """
    outcome = decode_response(answer, Request(TaskSpec(circuit="", shots=shots))).outcome
    if isinstance(outcome, BaseException):
        raise outcome
    assert isinstance(outcome, RunResult)
    return outcome


class AerAlone:
    """Aer on circuits that were parsed before: one simulator, one thread."""

    def __init__(self) -> None:
        self._simulator = AerSimulator()

    def taken(self, circuit: Any) -> Any:
        """The circuit where Aer takes it as it is, otherwise transpiled once to what it takes."""
        try:
            if self._simulator.run(circuit, shots=1, max_parallel_threads=1).result().success:
                return circuit
        except AerError:
            pass  # a gate that it does not know
        return transpile(circuit, self._simulator, optimization_level=0)

    def runs(self, circuit: Any, shots: int, seed: int | None = None) -> Callable[[], Mapping[str, int]]:
        def run() -> Mapping[str, int]:
            job = self._simulator.run(circuit, shots=shots, max_parallel_threads=1, seed_simulator=seed)
            counts: Mapping[str, int] = job.result().get_counts()
            return counts

        return run

    def simulating_seconds(self, circuit: Any, shots: int) -> float:
        """What Aer says of its own time in C++, its Python left out."""
        result = self._simulator.run(circuit, shots=shots, max_parallel_threads=1).result()
        return float(result.results[0].time_taken)


def in_turns(ways: Mapping[str, Way], rounds: int) -> tuple[dict[str, Cost], dict[str, list[Any]]]:
    """The median costs of each way over rounds in which each is gone once, and what came of each round."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    results: dict[str, list[Any]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            run = way(number)
            processor, wall = time.process_time(), time.perf_counter()
            result = run()
            times[name].append((time.process_time() - processor, time.perf_counter() - wall))
            results[name].append(result)
    return {name: _median_cost(found) for name, found in times.items()}, results


def _median_cost(times: Sequence[tuple[float, float]]) -> Cost:
    processor, wall = (1000 * median(column) for column in zip(*times, strict=True))
    return Cost(processor_ms=processor, wall_ms=wall)

"""The suite from text to counts against Aer alone: `python -m benchmarks.execution.comparing SECONDS`.

For each circuit rounds of three ways take turns: Aer on the parsed circuit, the service's with nothing remembered, and
the service's when the same text came before. The very counts that were timed are compared.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from qiskit import qasm3

from benchmarks.execution.children import say
from benchmarks.execution.circuits import Circuit, suite
from benchmarks.execution.distance import bound, distance
from benchmarks.execution.figures import SuiteEntry
from benchmarks.execution.way import AerAlone, ServiceWay, in_turns, result_in
from benchmarks.programs import SHOTS
from ketline.execution.frontend.scanner import clear_caches

_MIN_ROUNDS = 3
_MAX_ROUNDS = 60


def main(seconds: float) -> None:
    service, aer = ServiceWay(), AerAlone()
    say(asdict(_compared(circuit, service, aer, seconds)) for circuit in suite())


def _compared(circuit: Circuit, service: ServiceWay, aer: AerAlone, seconds: float) -> SuiteEntry:
    parsed = aer.taken(qasm3.loads(circuit.text))
    profile = service.result(circuit.text, SHOTS).profile
    alone, again = aer.runs(parsed, SHOTS), service.runs(circuit.text, SHOTS)
    rounds = _rounds(seconds, alone, again, again)

    def first(number: int) -> Callable[[], Any]:
        clear_caches()
        return service.runs(circuit.text + " " * (1 + number), SHOTS)

    costs, results = in_turns({"aer": lambda _: alone, "first": first, "again": lambda _: again}, rounds)
    ours = _added_up(result_in(response, SHOTS).counts for response in results["first"] + results["again"])
    bare = _added_up(results["aer"])
    apart, most = distance(ours, bare), bound(parsed.num_clbits, ours.total(), bare.total())
    if apart > most:
        raise RuntimeError(f"{circuit.family}, {parsed.num_qubits} qubits: counts {apart:.3f} apart, over {most:.3f}")
    return SuiteEntry(
        family=circuit.family,
        qubits=parsed.num_qubits,
        gates=sum(number for name, number in parsed.count_ops().items() if name != "measure"),
        front_end=str(profile.tier),
        method=profile.method,
        rounds=rounds,
        distance=apart,
        bound=most,
        **costs,
    )


def _rounds(seconds: float, *ways: Callable[[], Any]) -> int:
    """How many rounds fit into the time."""
    started = time.perf_counter()
    for way in ways:
        way()
    return min(_MAX_ROUNDS, max(_MIN_ROUNDS, round(seconds / (time.perf_counter() - started))))


def _added_up(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


if __name__ == "__main__":
    main(float(sys.argv[1]))

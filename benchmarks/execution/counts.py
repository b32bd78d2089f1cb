"""A Bell circuit's way from text to counts against Aer alone: `python -m benchmarks.execution.counts ROUNDS`."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from qiskit import qasm3

from benchmarks.execution.children import say
from benchmarks.execution.figures import Comparison
from benchmarks.execution.way import AerAlone, ServiceWay, Way, in_turns
from benchmarks.programs import BELL, SHOTS, turned_bell

_SEED = 7


def main(rounds: int) -> None:
    say(asdict(row) for row in _rows(rounds))


def _rows(rounds: int) -> Iterator[Comparison]:
    service, aer = ServiceWay(), AerAlone()
    bell = qasm3.loads(BELL)
    texts = [turned_bell(number) for number in range(rounds)]
    circuits = [qasm3.loads(text) for text in texts]
    programs: dict[str, tuple[Way, Way]] = {
        "the program comes again": (_always(service.runs(BELL, SHOTS)), _always(aer.runs(bell, SHOTS))),
        "a new program each time": (
            lambda number: service.runs(texts[number], SHOTS),
            lambda number: aer.runs(circuits[number], SHOTS),
        ),
        "it comes again, with a seed": (
            _always(service.runs(BELL, SHOTS, _SEED)),
            _always(aer.runs(bell, SHOTS, _SEED)),
        ),
    }
    for name, (ours, alone) in programs.items():
        costs, _ = in_turns({"service": ours, "aer": alone}, rounds)
        yield Comparison(program=name, rounds=rounds, service=costs["service"], aer=costs["aer"])


def _always(run: Any) -> Way:
    return lambda _number: run


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Compares the ways into a service: `python -m benchmarks.doors.driver PORT ROUNDS ACCOUNTS`.

ACCOUNTS, as JSON, are the service's processes: pairs of a process id and a part, as in `Account`.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.doors.door import Call, Door
from benchmarks.doors.figures import DoorComparison, Time
from benchmarks.doors.qiskit_doors import qiskit_doors
from benchmarks.doors.text_doors import text_doors
from benchmarks.execution.children import say
from benchmarks.processes import Account


def main(port: int, rounds: int, service: Sequence[Account]) -> None:
    with TemporaryDirectory(prefix="ketline-doors-") as directory:
        doors = chain(qiskit_doors(port), text_doors(port, Path(directory)))
        say(asdict(comparison) for comparison in _compare(doors, rounds, service))


def _compare(doors: Iterator[Door], rounds: int, service: Sequence[Account]) -> Iterator[DoorComparison]:
    """Both calls of each door in turns, after one of each that does not count."""
    for door in doors:
        door.ketline()
        door.other()
        ketline, other = [], []
        for _ in range(rounds):
            ketline.append(_timed(door.ketline, door.calls, service))
            other.append(_timed(door.other, door.calls, ()))
        yield DoorComparison(
            door=door.name,
            work=door.work,
            alternative=door.alternative,
            rounds=rounds,
            ketline=_median(ketline),
            other=_median(other),
        )


def _timed(call: Call, calls: int, service: Sequence[Account]) -> Time:
    """The time of one of so many calls; the processor time is that of this process, its children and the service."""
    wall, processor = time.perf_counter(), _processor_seconds(service)
    for _ in range(calls):
        call()
    return Time(
        wall_seconds=(time.perf_counter() - wall) / calls,
        processor_seconds=(_processor_seconds(service) - processor) / calls,
    )


def _processor_seconds(service: Sequence[Account]) -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() + children.ru_utime + children.ru_stime
    return own + sum(account.seconds() for account in service)


def _median(times: Sequence[Time]) -> Time:
    return Time(
        wall_seconds=median(time.wall_seconds for time in times),
        processor_seconds=median(time.processor_seconds for time in times),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [Account(root, part) for root, part in json.loads(sys.argv[3])])

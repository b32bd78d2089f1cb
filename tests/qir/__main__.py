"""Runs real programs as QIR in qirrunner: `bash .ci/uv run --group corpus python -m tests.qir`.

Prints every program whose distribution there is not that of our own simulator; ends with 1 if there is one.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from benchmarks.mqt import small_exports
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.qir.check import Outcome, check
from tests.qir.programs import Program, library, shared


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.qir", description=__doc__)
    parser.add_argument("--sources", default="library,mqt", help="of library, mqt, shared (%(default)s)")
    parser.add_argument("--sizes", default="2-6", help="numbers of qubits for MQT Bench (%(default)s)")
    parser.add_argument("--shots", type=int, default=1000, help="of each module in qirrunner (%(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print every outcome, not only disagreements")
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # the classes of Qiskit's library that functions replace
    first, _, last = options.sizes.partition("-")
    sizes = range(int(first), int(last or first) + 1)
    began, simulator = time.monotonic(), Simulator(ExecutionLimits())
    outcomes = []
    makers: dict[str, Callable[[], Iterable[Program]]]
    makers = {"library": library, "shared": shared, "mqt": partial(_mqt, sizes)}
    for program in chain.from_iterable(makers[source]() for source in options.sources.split(",")):
        for outcome in check(program, simulator, options.shots):
            outcomes.append(outcome)
            if options.verbose or outcome.result == "different":
                print(_line(outcome), flush=True)
    _report(outcomes, time.monotonic() - began)
    sys.exit(any(outcome.result == "different" for outcome in outcomes))


def _mqt(sizes: Sequence[int]) -> Iterator[Program]:
    for export in small_exports(sizes):
        if export.text is not None:
            yield Program(source="mqt", name=export.name, text=export.text)


def _line(outcome: Outcome) -> str:
    program = outcome.program
    return f"{outcome.result}: {program.source} {program.name} ({outcome.profile}) {outcome.detail}"


def _report(outcomes: list[Outcome], seconds: float) -> None:
    tally = Counter((outcome.program.source, str(outcome.profile), outcome.result) for outcome in outcomes)
    for (source, profile, result), count in sorted(tally.items()):
        print(f"{source:10}{profile:10}{result:12}{count}")
    compared = {
        (outcome.program.source, outcome.program.name)
        for outcome in outcomes
        if outcome.result in ("same", "different")
    }
    different = sum(outcome.result == "different" for outcome in outcomes)
    print(f"{len(compared)} programs compared in {seconds:.0f} s, {different} modules differ")


if __name__ == "__main__":
    main()

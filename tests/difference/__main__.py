"""Compare the front ends with each other, and with Python: `python -m tests.difference --programs 200000`.

Prints every program that something is wrong with; ends with 1 if there is one.
"""

import argparse
import resource
import sys
import time
from collections import Counter
from datetime import UTC, datetime

from tests.difference.volume import KINDS, Verdict, judge

_SECONDS_BETWEEN_REPORTS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="stop after so long, however many there were"
    )
    parser.add_argument("--seed", default=datetime.now(UTC).date().isoformat(), help="(today: %(default)s)")
    parser.add_argument("--kind", choices=KINDS, help="only programs of this kind (default: of all)")
    options = parser.parse_args()
    tally = Tally(options.seed)
    for number in range(options.programs):
        tally.add(judge(options.seed, number, options.kind))
        if tally.seconds > options.seconds:
            break
    tally.report()
    sys.exit(bool(tally.complaints))


class Tally:
    """Counts verdicts, and says from time to time how far it is."""

    def __init__(self, seed: str) -> None:
        self.complaints = 0
        self._seed = seed
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._slowest = 0.0
        self._started = self._reported = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def add(self, verdict: Verdict) -> None:
        self._outcomes[verdict.kind, verdict.outcome] += 1
        self._slowest = max(self._slowest, verdict.seconds)
        if verdict.complaint:
            self.complaints += 1
            print(verdict.complaint, flush=True)
        if time.monotonic() - self._reported > _SECONDS_BETWEEN_REPORTS:
            self._reported = time.monotonic()
            print(self._line(), flush=True)

    def report(self) -> None:
        for (kind, outcome), count in sorted(self._outcomes.items()):
            print(f"{kind:12}{outcome:32}{count}")
        print(self._line())

    def _line(self) -> str:
        mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        return (
            f"seed {self._seed}: {self._outcomes.total()} programs in {self.seconds:.0f} s, "
            f"{self.complaints} complaints, slowest {self._slowest:.1f} s, peak memory {mebibytes} MiB"
        )


if __name__ == "__main__":
    main()

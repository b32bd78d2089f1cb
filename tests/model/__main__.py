"""`python -m tests.model`: print what the checker finds; `--write` updates docs/model.md; `--deep` looks further."""

import argparse
import sys
import time
from pathlib import Path

from tests.model.explorations import verify, verify_redundancy
from tests.model.guards import Guards
from tests.model.jobs.report import job_report
from tests.model.removals import REDUNDANCIES
from tests.model.report import report, verified
from tests.model.scenarios import SCENARIOS
from tests.model.turns.explorations import turn_report

DOCUMENT = Path(__file__).parents[2] / "docs" / "model.md"
BEGIN = "<!-- From here on: python -m tests.model --write -->\n"


def document(text: str) -> str:
    """The document with its generated part replaced."""
    return text[: text.index(BEGIN)] + BEGIN + "\n" + _findings()


def _findings() -> str:
    return report() + "\n" + "\n".join([*job_report(), "", *turn_report()]) + "\n"


def deep() -> bool:
    """Wider bounds, and every redundancy in every scenario; takes minutes and gigabytes."""
    sound = True
    for scenario in SCENARIOS:
        began = time.monotonic()
        verdict = verify.__wrapped__(scenario.wider(), Guards())
        print(verified(scenario.wider(), verdict), f"{time.monotonic() - began:.0f} s", flush=True)
        sound &= verdict.counterexample is None
    for redundancy in REDUNDANCIES:
        for scenario, verdict in verify_redundancy(redundancy, deep=True):
            print(f"without {redundancy.guard}:", verified(scenario, verdict), flush=True)
            sound &= verdict.counterexample is None
    return sound


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the findings into docs/model.md")
    parser.add_argument("--deep", action="store_true", help="explore wider bounds instead; takes minutes")
    arguments = parser.parse_args()
    if arguments.deep:
        return 0 if deep() else 1
    if arguments.write:
        DOCUMENT.write_text(document(DOCUMENT.read_text()))
    print(_findings(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())

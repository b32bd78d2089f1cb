"""Kill everything, again and again, and check that nothing was lost: `bash .ci/uv run python -m tests.chaos --help`."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import get_args

from tests.chaos.run.chaos_run import run
from tests.chaos.run.plan import (
    BrokerKind,
    Mode,
    Plan,
    full_plan,
    quick_plan,
    quick_scarcity_plan,
    recovery_plan,
    scarcity_plan,
)
from tests.chaos.verdict import report
from tests.chaos.verdict.outcome import Outcome


def main() -> int:
    options = _parse()
    if options.summary:
        print(report.summarize([json.loads(path.read_text()) for path in options.summary]))
        return 0
    broken = 0
    for number in range(options.runs):
        plan = _plan(options, options.seed + number)
        print(f"… {plan.label} run {number + 1} of {options.runs}, seed {plan.seed}", flush=True)
        outcome = asyncio.run(run(plan, logs=report.RESULTS, keep_logs=options.keep_logs))
        broken += len(outcome.violations)
        _print_summary(outcome)
    return 1 if broken else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each further one adds 1 (%(default)s)")
    parser.add_argument("--tasks", type=int, default=1000, help="tasks of a run (%(default)s)")
    parser.add_argument("--runs", type=int, default=1, help="runs, one after the other (%(default)s)")
    parser.add_argument("--embedded", action="store_true", help="kill `ketline up` on SQLite instead")
    parser.add_argument(
        "--broker", choices=get_args(BrokerKind), default="rabbitmq", help="of the service (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="each kind of fault once, under a minute")
    parser.add_argument("--recovery", action="store_true", help="kill workers and the broker one by one, for figures")
    parser.add_argument("--scarcity", action="store_true", help="outages, clocks and want of resources; kill nothing")
    parser.add_argument("--default-clocks", action="store_true", help="with --recovery: the service's own lease")
    parser.add_argument("--small-disk", type=int, default=0, metavar="MB", help="fill the data's disk too; needs root")
    parser.add_argument("--keep-logs", action="store_true", help="keep them beside the report even if nothing broke")
    parser.add_argument("--summary", nargs="+", type=Path, metavar="JSON", help="add up the results of earlier runs")
    return parser.parse_args()


def _plan(options: argparse.Namespace, seed: int) -> Plan:
    mode: Mode = "embedded" if options.embedded else "distributed"
    if options.scarcity:
        small = min(options.tasks, 40)
        return (
            quick_scarcity_plan(mode, seed, small)
            if options.quick
            else scarcity_plan(mode, seed, options.tasks, broker=options.broker)
        )
    if options.quick:
        return quick_plan(mode, seed, min(options.tasks, 100), broker=options.broker)
    if options.recovery:
        return recovery_plan(
            seed, min(options.tasks, 300), quick_clocks=not options.default_clocks, broker=options.broker
        )
    return full_plan(mode, seed, options.tasks, small_disk_mb=options.small_disk, broker=options.broker)


def _print_summary(outcome: Outcome) -> None:
    target = report.write(outcome)
    print(
        f"  {outcome.acknowledged} acknowledged, {outcome.kills} kills, {outcome.seconds:.0f} s, "
        f"{len(outcome.violations)} violations: {target}.md"
    )
    for violation in outcome.violations[:20]:
        print(f"  {violation.invariant}: {violation.subject}: {violation.detail}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

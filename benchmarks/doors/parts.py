"""The part of the benchmark that compares the ways into a service, each in turns with what a user would take instead.

The calls are made by `driver.py`, in a process of its own: this one is to stay as light as a load generator should be.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.deployment import Deployment
from benchmarks.doors.figures import DoorComparison, DoorsFigures, Time
from benchmarks.doors.report import summary_of
from benchmarks.execution.children import hear

_SECONDS = 3600.0


async def measure_doors(deployment: Deployment, *, rounds: int, on_result: Callable[[str], None]) -> DoorsFigures:
    """Every way into a running service; `on_result` is called with a line for each when it is known."""
    accounts = {name: account for name, account in deployment.accounts.items() if name != "load generator"}
    arguments = json.dumps([(account.root, account.part) for account in accounts.values()])
    found, others = await hear(
        "benchmarks.doors.driver",
        str(deployment.port),
        str(rounds),
        arguments,
        timeout_seconds=_SECONDS,
        accounts=accounts,
        on_entry=lambda entry: on_result(summary_of(_comparison(entry))),
    )
    return DoorsFigures(mode=deployment.mode, comparisons=list(map(_comparison, found)), others=others)


def _comparison(entry: Mapping[str, Any]) -> DoorComparison:
    return DoorComparison(**{**entry, "ketline": Time(**entry["ketline"]), "other": Time(**entry["other"])})

"""Watch the whole service with its monitoring under load and faults: `bash .ci/uv run python -m tests.observed`.

Prints what was seen of each metric, alert, span, command and webhook; ends with 1 if something is missing or broken.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from tests.acceptance.processes import eventually
from tests.acceptance.steady_load import SteadyLoad
from tests.chaos.testbed.store import PostgresStore
from tests.chaos.verdict.records import StoredTask
from tests.observed.commands import Commands
from tests.observed.evidence import (
    Row,
    alert_rows,
    command_rows,
    metric_rows,
    span_rows,
    tasks_rows,
    webhook_rows,
)
from tests.observed.faults import Fault, Faults
from tests.observed.load import has_callback, open_load
from tests.observed.stack import RULES, Stack, open_stack
from tests.observed.watch import Watch

# After this time no further fault is injected, and what was not seen is reported.
FAULT_SECONDS = 600.0
QUIET_SECONDS = 60.0
DELIVERED_SECONDS = 60.0
_MARKS = {True: "ok", False: "MISSING", None: "-"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.observed", description=__doc__)
    parser.add_argument("--only", help="faults whose names contain this; then much is missing")
    parser.add_argument("--logs", type=Path, help="where to keep the logs of the processes")
    options = parser.parse_args()
    began = time.monotonic()
    rows = asyncio.run(_run(options.only or "", options.logs))
    _print(rows)
    broken = [row for row in rows if row.sound is False]
    print(f"{len(rows)} checks, {len(broken)} missing or broken, {time.monotonic() - began:.0f} s")
    return 1 if broken else 0


async def _run(only: str, logs: Path | None) -> Sequence[Row]:
    with tempfile.TemporaryDirectory(prefix="ketline-observed-") as directory:
        try:
            async with open_stack(Path(directory)) as stack:
                return await _observe(stack, only)
        finally:
            if logs is not None:
                shutil.copytree(directory, logs, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.dump"))


async def _observe(stack: Stack, only: str) -> Sequence[Row]:
    watch, commands, load = Watch(stack.prometheus), Commands(stack), open_load(stack)
    broken: list[Row] = []
    async with load.running():
        await load.accepts(20)
        deadline = time.monotonic() + FAULT_SECONDS
        faults = Faults(stack, watch, commands)
        for fault in faults.all():
            if only in fault.__name__:
                broken += await _inject(fault, load, watch, deadline - time.monotonic())
                await faults.end_tasks()
    tasks = await _settled(stack, load)
    still = await watch.quiet(QUIET_SECONDS)
    names = [rule["alert"] for rule in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]]
    return [
        *broken,
        *tasks_rows(load, tasks),
        *webhook_rows(stack, load, tasks),
        *command_rows(commands.results),
        *await metric_rows(watch),
        *await alert_rows(watch, names, still),
        *span_rows(stack.collector.spans(), tasks),
    ]


async def _inject(fault: Fault, load: SteadyLoad, watch: Watch, seconds: float) -> Sequence[Row]:
    """Inject a fault, if there is time; the row of what kept it from being repaired, if something did."""
    name, began = fault.__name__.replace("_", " "), time.monotonic()
    if seconds < 0:
        return [Row(area="faults", name=name, sound=False, detail="no time was left for it")]
    try:
        await fault()
    except Exception as error:  # the run continues: what follows is seen too
        return [Row(area="faults", name=name, sound=False, detail=f"{type(error).__name__}: {error}"[:300])]
    finally:
        missed = f", missed until now: {', '.join(sorted(watch.missed))}" if watch.missed else ""
        took = time.monotonic() - began
        print(f"… {name}: {took:.0f} s, {len(load.acknowledged)} tasks accepted{missed}", flush=True)
    await load.accepts(5)
    return []


async def _settled(stack: Stack, load: SteadyLoad) -> Sequence[StoredTask]:
    """All tasks, once each has ended and each message has arrived, or that takes too long."""
    store = PostgresStore(stack.database.url("ketline"))

    async def rest() -> bool:
        return not await store.unfinished(1)

    with suppress(AssertionError):  # the rows about tasks name those that have not ended
        await eventually(rest, "an end of every task", pause_seconds=0.5)
    deadline = time.monotonic() + DELIVERED_SECONDS
    while (missing := _undelivered(stack, load)) and time.monotonic() < deadline:
        for task_id in missing:
            await stack.api.http.post(f"/tasks/{task_id}/redeliver")
        await asyncio.sleep(2)
    return await store.tasks()


def _undelivered(stack: Stack, load: SteadyLoad) -> set[str]:
    called = {promise.task_id for promise in load.acknowledged if has_callback(promise.number)}
    return called - {message.task_id for message in stack.callbacks.accepted}


def _print(rows: Sequence[Row]) -> None:
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{row.area:9} {row.name:{width}} {_MARKS[row.sound]:8} {row.detail}")


if __name__ == "__main__":
    sys.exit(main())

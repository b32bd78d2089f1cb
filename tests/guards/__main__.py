"""Remove each guard in turn and see which tests fail: `bash .ci/uv run python -m tests.guards [NAME ...]`.

Exits 1 when a guard can be removed and every test passes. A NAME is a guard's name or a part of it.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.guards.catalogue import GUARDS
from tests.guards.guard import Guard
from tests.guards.listing import listed
from tests.guards.markers import NoLongerApplies
from tests.guards.workspace import TestsNotRun, Workspace, adopt_orphans, copied


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="guards to remove; default: all")
    parser.add_argument("--list", action="store_true", help="write the table of docs/guards.md, and remove nothing")
    options = parser.parse_args()
    if options.list:
        print(listed(GUARDS))
        return 0
    names = options.names
    guards = [guard for guard in GUARDS if not names or any(name in guard.name for name in names)]
    if not guards:
        parser.error("no guard has such a name")
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="ketline-guards-") as directory, copied(Path(directory)) as workspace:
        return _examine(workspace, guards)


def _examine(workspace: Workspace, guards: Sequence[Guard]) -> int:
    tests = sorted({test for guard in guards for test in guard.tests})
    if red := workspace.red(tests):
        print("Failed with every guard in place:", *red, sep="\n  ")
        return 1
    print("| guard | fails without it |\n| --- | --- |", flush=True)
    unnoticed = [guard.name for guard in guards if not _noticed(workspace, guard)]
    print(f"\n{len(guards) - len(unnoticed)} of {len(guards)} guards are needed.")
    for name in unnoticed:
        print(f"NOT NOTICED: {name}", file=sys.stderr)
    return 1 if unnoticed else 0


def _noticed(workspace: Workspace, guard: Guard) -> bool:
    try:
        with workspace.without(guard):
            red = workspace.red(guard.tests)
    except (NoLongerApplies, TestsNotRun) as error:
        print(f"{guard.name}: {error}", file=sys.stderr)
        red = []
    print(f"| {guard.name} | {_failed(red) or '**nothing**'} |", flush=True)
    return bool(red)


def _failed(red: Sequence[str]) -> str:
    """Each test once, with the parameters it is red for."""
    parameters: dict[str, list[str]] = {}
    for test in red:
        name, _, parameter = test.rpartition("::")[2].partition("[")
        parameters.setdefault(name, []).append(parameter.rstrip("]"))
    return ", ".join(f"`{name}`" + (f" ({', '.join(on)})" if on != [""] else "") for name, on in parameters.items())


if __name__ == "__main__":
    sys.exit(main())

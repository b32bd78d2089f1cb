"""What a guard is: a part of the source with a marker, how it is removed, and the tests that must fail without it."""

import ast
from dataclasses import dataclass
from pathlib import Path

from tests.guards.markers import NoLongerApplies, marked_lines, marked_place
from tests.guards.removals import Removal

SOURCE = Path("src/ketline")

CONTRACT = "tests/contract/test_repository.py"
PROCESS = "tests/integration/test_process.py"
REMOTE = "tests/integration/test_remote.py"
RECOVER = "tests/integration/test_recover.py"
WORKER = "tests/integration/test_worker.py"
SQLITE = "tests/integration/test_sqlite.py"
GUARDS = "tests/integration/test_guards_database.py"
GUARDS_RUNTIME = "tests/integration/test_guards_runtime.py"
ADMISSION = "tests/integration/execution/test_admission.py"
SHARE = "tests/unit/execution/test_quota.py"
RABBIT = "tests/integration/rabbit"
REDIS = "tests/integration/redis"


@dataclass(frozen=True, slots=True)
class Guard:
    """`name` is marked in one file of the source; at least one of `tests` fails when `removal` is applied there."""

    name: str
    protects: str
    removal: Removal
    tests: tuple[str, ...]

    def removed_from(self, source: str) -> str:
        """The source without the guard, and without comments.

        Raises:
            NoLongerApplies: there is no marker, or nothing at it that could be removed in this way.
        """
        tree = ast.parse(source)
        lines = marked_lines(source).get(self.name)
        if not lines:
            raise NoLongerApplies(f"{self.name}: nothing is marked by this name")
        try:
            self.removal.apply([marked_place(tree, line) for line in lines])
        except NoLongerApplies as error:
            raise NoLongerApplies(f"{self.name}: {error}") from error
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n"

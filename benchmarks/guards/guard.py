"""What a guard is: an exact piece of the source, what is left when it is taken out, and the tests that must object."""

from dataclasses import dataclass
from pathlib import Path

SOURCE = Path("src/ketline")

CONTRACT = "tests/contract/test_repository.py"
PROCESS = "tests/integration/test_process.py"
RECOVER = "tests/integration/test_recover.py"
WORKER = "tests/integration/test_worker.py"
SQLITE = "tests/integration/test_sqlite.py"
GUARDS = "tests/integration/test_guards_database.py"
GUARDS_RUNTIME = "tests/integration/test_guards_runtime.py"
ADMISSION = "tests/integration/execution/test_admission.py"
SHARE = "tests/unit/execution/test_share.py"
RABBIT = "tests/integration/rabbit"


class NoLongerApplies(Exception):
    """The text that a guard consists of is not, or not exactly once, in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """`file` is relative to `SOURCE`; `old` occurs in it exactly once; at least one of `tests` fails without it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        return SOURCE / self.file

    def removed_from(self, source: str) -> str:
        """The source without the guard.

        Raises:
            NoLongerApplies: the list is out of date.
        """
        if (found := source.count(self.old)) != 1:
            raise NoLongerApplies(
                f"{self.name}: its text occurs {found} times in {self.path}; bring the list up to date"
            )
        return source.replace(self.old, self.new)

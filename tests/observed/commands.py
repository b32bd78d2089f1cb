"""The commands of operators, as they type them on the service under observation, and whether each did its work."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg

from tests.acceptance.test_backup import typed_from_page
from tests.acceptance.test_care import typed
from tests.observed.stack import Stack

RESTORED = "restored"
# The blocks of commands of docs/operations.md that save a database of PostgreSQL, and restore it.
_SAVE, _RESTORE = 2, 3


@dataclass(slots=True)
class Commands:
    """Types commands and records their results: None, or what was wrong."""

    stack: Stack
    results: dict[str, str | None] = field(default_factory=dict)

    def record(self, name: str, done: bool, problem: str = "no") -> None:
        """Record a result; a command that failed once stays failed."""
        if self.results.get(name) is None:
            self.results[name] = None if done else problem

    async def succeeds(self, *arguments: str, **environment: str) -> str:
        """What the command prints; recorded is whether it ended with 0."""
        status, output, errors = await typed(self.stack.fleet, *arguments, **environment)
        self.record(_name(*arguments), status == 0, f"exit {status}: {errors.strip()[-200:]}")
        return output

    async def printed(self, *arguments: str) -> str:
        """As `succeeds`, of a command that may end with 1 where it finds something: then that is recorded."""
        status, output, errors = await typed(self.stack.fleet, *arguments)
        problems = [line for line in output.splitlines() if line.startswith("problem")]
        self.record(_name(*arguments), status == 0, "; ".join(problems) or errors.strip()[-200:])
        return output

    async def backup(self) -> None:
        await self._from_page("backup", _SAVE)

    async def restore(self) -> None:
        """Restore into another database, and compare the number of tasks with that of the service."""
        url = self.stack.database.url(RESTORED)
        await self._from_page("restore", _RESTORE, DATABASE_URL=url)
        session = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            tasks = await session.fetchval("SELECT count(*) FROM tasks")
        finally:
            await session.close()
        self.record("restored tasks", tasks > 0, "none")

    async def _from_page(self, name: str, block: int, **environment: str) -> None:
        status, output = await typed_from_page(self.stack.fleet, block, **self._places(), **environment)
        self.record(name, status == 0, f"exit {status}: {output.strip()[-200:]}")

    def _places(self) -> Mapping[str, str]:
        database = self.stack.database
        return {
            "BACKUP": str(self.stack.fleet.directory / "ketline.dump"),
            "PG_URL": database.url("ketline").replace("+asyncpg", ""),
            "PG_NEW_URL": database.url(RESTORED).replace("+asyncpg", ""),
            "NEW_NAME": RESTORED,
        }


def _name(*arguments: str) -> str:
    return " ".join(word for word in arguments[:2] if not word.startswith("-") and len(word) < 20)

"""Usage in memory, as a `UsageLedger`; the SQL one has contract tests of its own."""

from collections.abc import Sequence
from datetime import date

from ketline.domain.access.principals import DEFAULT_PROJECT, Owner
from ketline.domain.access.usage import Usage, UsageQuery, UsageRow

ROWS = (
    UsageRow(
        project=DEFAULT_PROJECT,
        day=date(2026, 11, 29),
        owner=Owner('Ada "A", Lovelace'),
        usage=Usage(completed=2, shots=30, simulating_seconds=1.25, processor_seconds=1.5, memory_bytes=1 << 27),
    ),
    UsageRow(
        project=DEFAULT_PROJECT, day=date(2026, 11, 30), usage=Usage(completed=1, failed=3, cancelled=2, shots=10)
    ),
)


class FakeUsageLedger:
    """Gives `rows` for any query, and records the queries."""

    def __init__(self) -> None:
        self.rows: Sequence[UsageRow] = ROWS
        self.queries: list[UsageQuery] = []
        self.error: Exception | None = None

    async def sums(self, query: UsageQuery) -> Sequence[UsageRow]:
        self.queries.append(query)
        if self.error is not None:
            raise self.error
        return self.rows

"""The history of statistics in memory, as a `StatisticsHistory`; the SQL one has contract tests of its own."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ketline.domain.operations.history import History, HistoryPoint, HistoryQuery, Minute, minute_of

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
POINTS = (
    HistoryPoint(
        first=minute_of(NOON),
        minutes=60,
        workers=1,
        slots=2,
        waiting=3.25,
        most_waiting=41,
        processing=1.5,
        most_processing=2,
        submitted=7080,
        completed=7020,
        failed=60,
        cancelled=1,
        waiting_seconds=0.81,
        longest_waiting_seconds=12.5,
        running_seconds=0.05,
        longest_running_seconds=8.125,
    ),
    # Nobody recorded the hour between.
    HistoryPoint(first=Minute(minute_of(NOON) + 120), minutes=7, workers=0, slots=0),
)


@dataclass(slots=True)
class FakeStatisticsHistory:
    """Gives `history` for any query, and notes the queries. `batches` are what deletions find, in order."""

    history: History = field(default_factory=lambda: History(points=POINTS, queues=("convert", "simulate")))
    queries: list[HistoryQuery] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    deletions: list[tuple[timedelta, int]] = field(default_factory=list)
    recorded: list[Minute] = field(default_factory=list)
    at: datetime = NOON
    error: Exception | None = None

    async def now(self) -> datetime:
        self._check()
        return self.at

    async def record(self, minute: Minute) -> bool:
        self._check()
        self.recorded.append(minute)
        return True

    async def read(self, query: HistoryQuery) -> History:
        self._check()
        self.queries.append(query)
        return self.history

    async def delete_older(self, age: timedelta, limit: int) -> int:
        self.deletions.append((age, limit))
        return self.batches.pop(0) if self.batches else 0

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

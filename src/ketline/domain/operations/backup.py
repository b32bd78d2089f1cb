"""A backup of the database, as its check finds it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSummary:
    """The content of a checked copy: its size, its schema, the number of its tasks, and its newest line of history."""

    size_bytes: int
    revision: str
    tasks: int
    newest: datetime | None

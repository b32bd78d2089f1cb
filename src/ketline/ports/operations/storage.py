"""The space that the database takes, and its maintenance."""

from typing import NamedTuple, Protocol


class StorageUse(NamedTuple):
    """The bytes that the database takes, and of these the bytes, or rows, that are free for reuse, if that is known."""

    total_bytes: int
    free_bytes: int | None = None
    dead_rows: int | None = None


class DatabaseStorage(Protocol):
    """Every method raises `DatabaseUnavailable` if the database does not respond."""

    async def measure(self) -> StorageUse:
        """Return what the database takes now."""
        ...

    async def vacuum(self) -> None:
        """Make the space of deleted rows reusable.

        On PostgreSQL it blocks nothing, and refreshes the planner's statistics. On SQLite it blocks writes, needs disk
        space for a second copy, and returns the freed space to the file system at the end.
        """
        ...

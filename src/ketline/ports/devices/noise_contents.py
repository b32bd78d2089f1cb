"""Keeps large models of noise for the tasks that have them."""

from datetime import timedelta
from typing import Protocol


class NoiseContents(Protocol):
    """Models of noise as JSON by its digest, of all projects: only tasks of a project know its digests.

    Every method raises `DatabaseUnavailable` if the database cannot be read or written.
    """

    async def keep(self, digest: str, text: str) -> None:
        """Store a content, or keep it from now on for another while; see `delete_unused`."""
        ...

    async def get(self, digest: str) -> str | None:
        """Return the content with this digest; None if there is none."""
        ...

    async def delete_unused(self, age: timedelta, limit: int) -> int:
        """Delete up to `limit` contents that no task has, and that were last kept longer than `age` ago.

        Return their number.
        """
        ...

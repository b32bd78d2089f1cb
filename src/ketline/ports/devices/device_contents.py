"""Stores the contents of devices, for the tasks that were submitted with them."""

from datetime import timedelta
from typing import Protocol


class DeviceContents(Protocol):
    """Canonical JSON of devices by its digest, of all projects: only tasks of a project know its digests.

    Every method raises `DatabaseUnavailable` if the database cannot be read or written.
    """

    async def keep(self, digest: str, text: str) -> None:
        """Store a content, or restart the time for which it is kept; see `delete_unused`."""
        ...

    async def get(self, digest: str) -> str | None:
        """Return the content with this digest; None if there is none."""
        ...

    async def delete_unused(self, age: timedelta, limit: int) -> int:
        """Delete up to `limit` contents that no device or task refers to and whose last `keep` is older than `age`.

        Return their number.
        """
        ...

"""Reads the audit log, and records actions that do not change the database."""

from datetime import timedelta
from typing import Protocol

from ketline.domain.access.audit import AuditPage, AuditRecord
from ketline.domain.access.principals import ProjectName


class AuditLog(Protocol):
    """The entries, which are never changed. Every method raises `DatabaseUnavailable` if the database does not respond.

    A method that changes the database records its own action, in the same transaction.
    """

    async def add(self, record: AuditRecord) -> None:
        """Record an action."""
        ...

    async def find(self, project: ProjectName | None, before: int | None, limit: int) -> AuditPage:
        """Return entries about a project, or all, the newest first; only those with lower numbers than `before`."""
        ...

    async def delete_older(self, age: timedelta, limit: int) -> int:
        """Delete up to `limit` entries that are older than `age`, and return their number."""
        ...

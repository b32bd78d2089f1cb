"""The schema that a database has, compared with the one that this version needs.

`db.schema.migrate` reads it, and `ketline migrate --check` prints it.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMigration:
    """A migration that a database has not had; `compatible_from` is the oldest schema whose processes still work then.

    None: those of every schema still work, because the migration only adds to the schema.
    """

    revision: str
    title: str
    compatible_from: str | None = None

    def stops(self, current: str | None) -> bool:
        """Whether processes of the version that needs the schema `current` must be stopped before it."""
        return self.compatible_from is not None and (current is None or current < self.compatible_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """The schema of a database, `current`, the one that this version needs, `newest`, and the migrations between.

    `current` is None for an empty database. It is `later` if this version does not know it.
    """

    current: str | None
    newest: str
    later: bool = False
    pending: Sequence[PendingMigration] = ()

    @property
    def rolling(self) -> bool:
        """Whether the pending migrations may be made while processes of the database's schema run."""
        return not self.stopping

    @property
    def stopping(self) -> Sequence[PendingMigration]:
        """The pending migrations before which all processes must be stopped; none for an empty database."""
        if self.current is None:
            return ()
        return tuple(migration for migration in self.pending if migration.stops(self.current))

    @property
    def described(self) -> str:
        """The state as sentences, with what to do."""
        if self.later:
            return (
                f"The database has the schema {self.current} of a later version; this version needs {self.newest}. It "
                "is left as it is: this version runs on it, unless the changelog of the later one says otherwise."
            )
        if not self.pending:
            return f"The database has the schema {self.newest} that this version needs."
        if self.current is None:
            return f"The database is empty; `ketline migrate` makes the schema {self.newest}."
        names = ", ".join(f"{migration.revision} ({migration.title})" for migration in self.pending)
        begin = f"The database has the schema {self.current}, this version needs {self.newest}: {names}."
        if self.stopping:
            stops = ", ".join(migration.revision for migration in self.stopping)
            return f"{begin} Stop all APIs and workers before `ketline migrate`: running ones cannot work on {stops}."
        return f"{begin} Running processes work on it: `ketline migrate`, then replace workers, then APIs, one by one."

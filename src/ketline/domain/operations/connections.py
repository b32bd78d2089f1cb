"""How many database connections a process may open, compared with what the database's server allows.

`db.engine.connection_limits` reads the limits, and `runtime.connections` reports the comparison when a process starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class LimitName(StrEnum):
    """The names of limits: that of the server, of a role, or of a database."""

    SERVER = "server"
    ROLE = "role"
    DATABASE = "database"


_REMEDIES = {
    LimitName.SERVER: "raise max_connections of PostgreSQL, lower KETLINE_DATABASE_POOL_SIZE, or use PgBouncer",
    LimitName.ROLE: "raise the limit with ALTER ROLE … CONNECTION LIMIT, or lower KETLINE_DATABASE_POOL_SIZE",
    LimitName.DATABASE: "raise the limit with ALTER DATABASE … CONNECTION LIMIT, or lower KETLINE_DATABASE_POOL_SIZE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimit:
    """A limit on the connections of a role: `allowed`, of which others may take `others`.

    An other process of Ketline counts with the size of its pool, whatever it has open now.
    """

    name: LimitName
    allowed: int
    others: int

    @property
    def free(self) -> int:
        return self.allowed - self.others

    @property
    def remedy(self) -> str:
        """The advice for an operator if it is too low."""
        return _REMEDIES[self.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """The limits of the database's server for this process, one at least.

    They are the pooler's, and not this process's, if connections go `through_pooler`. `planner_settings` is false where
    such sessions plan statements without Ketline's settings.
    """

    limits: Sequence[ConnectionLimit]
    through_pooler: bool
    planner_settings: bool

    @property
    def lowest(self) -> ConnectionLimit:
        """The limit that allows the fewest connections."""
        return min(self.limits, key=lambda limit: limit.allowed)

    @property
    def tightest(self) -> ConnectionLimit:
        """The limit that leaves the fewest connections to this process."""
        return min(self.limits, key=lambda limit: limit.free)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionNeed:
    """The connections of one process: `most` at its busiest, and `least`, without which it cannot work."""

    process: str
    most: int
    least: int

    def fits(self, limits: ServerLimits) -> int:
        """How many such processes the server allows when there are no others."""
        return max(0, limits.lowest.allowed) // self.most

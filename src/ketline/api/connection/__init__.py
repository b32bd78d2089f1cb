"""HTTP connections with limits on size, time and number."""

from ketline.api.connection.limits import ConnectionLimits, SharedState
from ketline.api.connection.protocol import BoundedConnection

__all__ = ["BoundedConnection", "ConnectionLimits", "SharedState"]

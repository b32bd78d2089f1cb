"""HTTP connections with limits on size, time and number."""

from ketline.api.connection.limits import ConnectionLimits, Shared
from ketline.api.connection.protocol import BoundedConnection

__all__ = ["BoundedConnection", "ConnectionLimits", "Shared"]

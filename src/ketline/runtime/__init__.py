"""The composition root: opens the embedded and the distributed service with an adapter behind each port."""

from ketline.runtime.administration import open_administration
from ketline.runtime.api import open_api
from ketline.runtime.clock import SystemClock
from ketline.runtime.connections import describe_connections
from ketline.runtime.database import migrate_database, schema_state
from ketline.runtime.embedded import open_embedded
from ketline.runtime.limits import execution_limits
from ketline.runtime.worker import WorkerParts, open_worker

__all__ = [
    "SystemClock",
    "WorkerParts",
    "describe_connections",
    "execution_limits",
    "migrate_database",
    "open_administration",
    "open_api",
    "open_embedded",
    "open_worker",
    "schema_state",
]

"""Opens the adapters of the configured external backends, for workers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from ketline.backends.registry import Backends
from ketline.backends.registry import open_backends as open_entries
from ketline.config import Settings

log = structlog.get_logger()


@asynccontextmanager
async def open_backends(settings: Settings) -> AsyncIterator[Backends]:
    """Open the adapters of the backends that this worker takes; one that cannot be opened is logged, no more."""
    backends = open_entries(settings.external_backends)
    for name, problem in backends.problems.items():
        log.error("backend.broken", backend=name, problem=problem)
    try:
        yield backends
    finally:
        await backends.close()

"""Opens the tracing of a process: of OpenTelemetry if the settings name a collector, else none."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

import structlog

from ketline.config import Settings
from ketline.ports.operations.tracing import NO_TRACING, Tracing

log = structlog.get_logger()


@asynccontextmanager
async def open_tracing(settings: Settings, role: str) -> AsyncIterator[Tracing]:
    """Open the tracing of a process of this role; a service whose traces cannot be sent runs without, and logs it."""
    async with AsyncExitStack() as stack:
        yield await _opened(stack, settings, role)


async def _opened(stack: AsyncExitStack, settings: Settings, role: str) -> Tracing:
    endpoint = settings.traces_endpoint
    if endpoint is None:
        return NO_TRACING
    resource = {
        "service.name": "ketline",
        "service.version": version("ketline"),
        "service.instance.id": settings.worker_id,
        "ketline.role": role,
    }
    try:
        # Libraries of an extra, which take time to import.
        from ketline.tracing import TracingOff, open_exporter
    except ImportError as error:
        log.warning("tracing.off", reason=f"{error}; pip install 'ketline[tracing]' installs what is needed")
        return NO_TRACING
    try:
        tracing = await stack.enter_async_context(open_exporter(endpoint, resource))
    except TracingOff as off:
        log.warning("tracing.off", reason=str(off))
        return NO_TRACING
    log.info("tracing.on")
    return tracing

"""The HTTP server of the API and of worker health: uvicorn on one socket, within the operator's limits.

`serve.py` runs it.
"""

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from ssl import SSLContext
from typing import cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from ketline.api.connection import BoundedConnection, ConnectionLimits, SharedState
from ketline.config import MEBIBYTE, Settings
from ketline.domain.errors import ConfigurationInvalid
from ketline.domain.operations.metrics import CONNECTIONS, CONNECTIONS_REJECTED
from ketline.ports.operations.metrics import Metrics, NoMetrics

log = structlog.get_logger()

BACKLOG = 2048
CONNECTION_GRACE_SECONDS = 5
# File descriptors that a process needs for other things than clients: database, broker, simulators, files.
OTHER_DESCRIPTORS = 512


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits from the settings, with no more connections than the process may have file descriptors."""
    return ConnectionLimits(
        head_seconds=settings.header_timeout_s,
        body_seconds=settings.body_timeout_s,
        idle_seconds=settings.idle_timeout_s,
        write_seconds=settings.write_timeout_s,
        connections=_possible_connections(settings.max_connections),
        request_memory_bytes=settings.request_memory_mb * MEBIBYTE,
    )


def _possible_connections(wanted: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_DESCRIPTORS
    if resource.RLIM_INFINITY in (soft, needed) or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    possible = min(wanted, max(allowed - OTHER_DESCRIPTORS, allowed // 2))
    if possible < wanted:
        log.warning("api.connections_limited", wanted=wanted, possible=possible, open_files=allowed)
    return possible


class _Server(uvicorn.Server):
    """A uvicorn server that handles no signals, because one stop event ends API and worker together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_http(
    app: ASGIApp,
    settings: Settings,
    listener: socket.socket,
    stop: asyncio.Event,
    before_stop: Callable[[], None] = lambda: None,
    tls: SSLContext | None = None,
    metrics: Metrics | None = None,
) -> None:
    """Serve requests, with `tls` by HTTPS, until `stop` is set; then give open requests a few seconds to end.

    `before_stop` is called first; it ends responses that would otherwise stay open, such as event streams. `metrics`
    count the connections.
    """
    metrics = metrics or NoMetrics()
    shared = SharedState.of(connection_limits(settings), partial(metrics.count, CONNECTIONS_REJECTED))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=cast("type[asyncio.Protocol]", partial(BoundedConnection, shared=shared)),
        ws="none",
        lifespan="off",
        server_header=False,
        forwarded_allow_ips=list(settings.proxy_networks),
        backlog=BACKLOG,
        timeout_keep_alive=cast("int", settings.idle_timeout_s),
        timeout_graceful_shutdown=CONNECTION_GRACE_SECONDS,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    server = _Server(config)
    metrics.on_scrape(CONNECTIONS, lambda: {(): len(server.server_state.connections)})
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        before_stop()
        stopping.cancel()
        await _end(serving, stopping)


async def _end(serving: Awaitable[None], stopping: Awaitable[object]) -> None:
    await asyncio.gather(stopping, return_exceptions=True)
    await serving


def listen(settings: Settings, port: int | None = None) -> socket.socket:
    """Open a socket that listens on the configured address, at the configured port or at `port`.

    Raises:
        ConfigurationInvalid: the address cannot be used, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    wanted = settings.port if port is None else port
    try:
        return socket.create_server((settings.host, wanted), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationInvalid(
            f"Cannot listen on {settings.host} port {wanted} ({error.strerror}); "
            "set KETLINE_HOST and KETLINE_PORT to a free address, or port 0 for any free port."
        ) from error


def url_of(listener: socket.socket, tls: SSLContext | None = None) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    scheme = "http" if tls is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

"""Logging: structlog for all lines, also those of libraries; JSON, or readable text on a terminal.

Each command configures it once, before it starts anything that logs.
"""

import atexit
import json
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import UnsupportedOperation
from typing import Any, Literal, TextIO, cast

import structlog
from pydantic_core import PydanticSerializationError, to_json
from structlog.typing import Processor

from ketline.log_stream import LogStream

# Their lines for each request or frame repeat those of Ketline.
QUIET_LIBRARIES = ("uvicorn.access", "httpx", "httpcore", "alembic", "asyncio", "sqlalchemy", "urllib3")
# They log each attempt to connect while the broker or the collector is down; Ketline logs the outage once.
SILENT_LIBRARIES = ("aio_pika", "aiormq", "opentelemetry")

_PLAIN = frozenset({str, int, float, bool, type(None)})


def configure_logs(level: str, style: Literal["auto", "json", "console"]) -> None:
    """Send all log lines to standard error in one format, without ever blocking or failing."""
    stream = non_blocking(sys.stderr, log_drops=True)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Rich tracebacks would print local variables, and so programs and secrets.
    readable = style == "console" or (style == "auto" and sys.stderr.isatty())
    render: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    )
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    _adopt_library_logs(stream, level, shared, render)


def non_blocking(stream: TextIO, *, log_drops: bool = False) -> TextIO:
    """A stream to the same file whose writes never block or fail; `stream` itself if it has no file or is one already.

    With `log_drops`, dropped lines are logged as `log.lines_dropped` when writes succeed again. At the end of the
    process it waits briefly until all lines are written.
    """
    if isinstance(stream, LogStream):
        return stream
    try:
        descriptor = stream.fileno()
        stream.flush()
    except (UnsupportedOperation, AttributeError, OSError, ValueError):
        return stream
    guarded = LogStream(descriptor, _log_dropped if log_drops else None)
    atexit.register(guarded.drain)
    return cast("TextIO", guarded)


def drain_logs(seconds: float) -> None:
    """Wait until all lines are written, before the process is ended by force."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogStream):
            stream.drain(seconds)


def _log_dropped(lines: int, reason: str) -> None:
    structlog.get_logger().warning("log.lines_dropped", lines=lines, reason=reason)


def _json(line: Mapping[str, object], **_: Any) -> str:
    """Encode a line; for plain values in a quarter of the time of Python's json, since each task logs three lines."""
    if all(type(value) in _PLAIN for value in line.values()):
        with suppress(PydanticSerializationError):  # a lone surrogate, which only escaping can represent
            text = to_json(line).decode()
            if text.isascii():
                return text
    return json.dumps(line, default=_repr)


def _repr(value: object) -> str:
    """The repr of a value that JSON cannot represent; never raises, so that logging never fails."""
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__} in its repr>"


def _adopt_library_logs(stream: TextIO, level: str, shared: list[Processor], render: list[Processor]) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR if level != "debug" else logging.INFO)
    for name in SILENT_LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)

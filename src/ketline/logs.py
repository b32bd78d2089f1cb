"""Logging: structlog for our lines and for those of libraries, JSON off a terminal, readable on one."""

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

# Their per-request and per-frame lines repeat ours or tell nothing.
QUIET_LIBRARIES = ("uvicorn.access", "httpx", "httpcore", "alembic", "asyncio", "sqlalchemy")
# They log as an error each attempt to connect while the broker is away; our own lines say so once.
SILENT_LIBRARIES = ("aio_pika", "aiormq")

_PLAIN = frozenset({str, int, float, bool, type(None)})


def configure_logs(level: str, style: Literal["auto", "json", "console"]) -> None:
    """Send every log line to standard error in one format; no line waits for whoever reads them, or fails."""
    stream = never_waiting(sys.stderr, announced=True)
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


def never_waiting(stream: TextIO, *, announced: bool = False) -> TextIO:
    """A stream to the same file whose writes neither wait nor fail; itself where it is no file or is one already.

    Lines that had to be dropped are logged as `log.lines_dropped` once lines go out again, where they are `announced`.
    What was written before the process ends is waited for, for a moment.
    """
    if isinstance(stream, LogStream):
        return stream
    try:
        descriptor = stream.fileno()
        stream.flush()
    except (UnsupportedOperation, AttributeError, OSError, ValueError):
        return stream
    guarded = LogStream(descriptor, _tell_dropped if announced else None)
    atexit.register(guarded.drain)
    return cast("TextIO", guarded)


def drain_logs(seconds: float) -> None:
    """Have what was logged go out before the process is ended by force."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogStream):
            stream.drain(seconds)


def _tell_dropped(lines: int, reason: str) -> None:
    structlog.get_logger().warning("log.lines_dropped", lines=lines, reason=reason)


def _json(line: Mapping[str, object], **_: Any) -> str:
    """Every task writes three lines. For plain ones this takes a quarter of what Python's own module does."""
    if all(type(value) in _PLAIN for value in line.values()):
        with suppress(PydanticSerializationError):  # half a surrogate pair, which only escaping can write
            text = to_json(line).decode()
            if text.isascii():
                return text
    return json.dumps(line, default=_described)


def _described(value: object) -> str:
    """A value that cannot be written, or even described, must not stop whoever logs it."""
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

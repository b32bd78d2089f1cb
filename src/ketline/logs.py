"""Logging: structlog for our lines and for those of libraries, JSON off a terminal, readable on one."""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

import structlog
from pydantic_core import PydanticSerializationError, to_json
from structlog.typing import Processor

# Their per-request and per-frame lines repeat ours or tell nothing.
QUIET_LIBRARIES = ("uvicorn.access", "httpx", "httpcore", "alembic", "asyncio", "sqlalchemy")
# They log as an error each attempt to connect while the broker is away; our own lines say so once.
SILENT_LIBRARIES = ("aio_pika", "aiormq")

_PLAIN = frozenset({str, int, float, bool, type(None)})


def configure_logs(level: str, style: Literal["auto", "json", "console"]) -> None:
    """Send every log line to standard error in one format."""
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
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    _adopt_library_logs(level, shared, render)


def _json(line: Mapping[str, object], **_: Any) -> str:
    """Every task writes three lines. For plain ones this takes a quarter of what Python's own module does."""
    if all(type(value) in _PLAIN for value in line.values()):
        with suppress(PydanticSerializationError):  # half a surrogate pair, which only escaping can write
            text = to_json(line).decode()
            if text.isascii():
                return text
    return json.dumps(line, default=repr)


def _adopt_library_logs(level: str, shared: list[Processor], render: list[Processor]) -> None:
    handler = logging.StreamHandler(sys.stderr)
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

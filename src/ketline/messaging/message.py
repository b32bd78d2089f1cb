"""The form of a queue message: JSON with ids only; decoding checks it strictly.

The adapters for RabbitMQ and for Redis encode and decode theirs with it.
"""

import json
import re
from uuid import UUID

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.ids import CorrelationId, TaskId

CONTENT_TYPE = "application/json"
# Raised when workers of earlier versions must not act on a message; a message without a version has the first.
VERSION = 1
MAX_BODY_BYTES = 16_384

# Source: W3C Trace Context, section 3.2, and CONTRACT.md for correlation ids.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CORRELATION_ID = re.compile(r"[\x20-\x7e]{1,128}")


class MessageInvalid(ValueError):
    """A queue message that Ketline did not write; the error text never contains its body."""


def encode(dispatch: Dispatch) -> bytes:
    """Encode a dispatch as a message body, which `decode` reads."""
    fields: dict[str, object] = {
        "task_id": str(dispatch.task_id),
        "correlation_id": dispatch.correlation_id,
        "version": VERSION,
    }
    if dispatch.trace_context is not None:
        fields["traceparent"] = dispatch.trace_context
    return json.dumps(fields, separators=(",", ":")).encode()


def decode(body: bytes, *, correlation_id: object = None, traceparent: object = None) -> Dispatch:
    """Decode a message; `correlation_id` is its AMQP property and `traceparent` its header, used if the body has none.

    Unknown keys are ignored. The task id replaces a missing or invalid correlation id.

    Raises:
        MessageInvalid: the body is not a JSON object with a `task_id` that is a uuid, or is of a later version.
    """
    fields = _parse(body)
    _check_version(fields.get("version", 1))
    task_id = _task_id(fields.get("task_id"))
    return Dispatch(
        task_id=task_id,
        correlation_id=CorrelationId(
            _first_match(_CORRELATION_ID, fields.get("correlation_id"), correlation_id) or str(task_id)
        ),
        trace_context=_first_match(_TRACEPARENT, fields.get("traceparent"), traceparent),
    )


def usable_property(correlation_id: CorrelationId) -> str | None:
    """The correlation id if it is valid as an AMQP property, else None; the body always has it."""
    return _first_match(_CORRELATION_ID, correlation_id)


def _parse(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BODY_BYTES:
        raise MessageInvalid(f"the message has more than {MAX_BODY_BYTES} bytes")
    try:
        fields = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise MessageInvalid("the message is not JSON") from error
    if not isinstance(fields, dict):
        raise MessageInvalid("the message is not a JSON object")
    return fields


def _check_version(value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise MessageInvalid("the version is not a positive integer")
    if value > VERSION:
        raise MessageInvalid(f"the message is of version {value}, and this process knows {VERSION}: upgrade it")


def _task_id(value: object) -> TaskId:
    if not isinstance(value, str):
        raise MessageInvalid("the message has no task_id")
    try:
        task_id = UUID(value)
    except ValueError as error:
        raise MessageInvalid("the task_id is not a uuid") from error
    # UUID() also accepts braces, urn: prefixes and misplaced hyphens, which Ketline never writes.
    if str(task_id) != value.lower():
        raise MessageInvalid("the task_id is not a uuid")
    return TaskId(task_id)


def _first_match(pattern: re.Pattern[str], *candidates: object) -> str | None:
    return next((value for value in candidates if isinstance(value, str) and pattern.fullmatch(value)), None)

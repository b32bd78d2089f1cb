"""Contexts of spans: from and to `traceparent`, and ids that processes can compute without telling each other.

The span of an attempt has an id made of task and attempt. So the next attempt can link to it, and the reaper can end it
instead of a worker that was killed. A task that was submitted without a context has its own id as the id of its trace.
"""

import re
from hashlib import blake2b

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from ketline.domain.ids import TaskId

# Source: W3C Trace Context, section 3.2.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


class Ids(RandomIdGenerator):
    """Random ids, but for the next span those that were set. Spans are started in one thread."""

    def __init__(self) -> None:
        self._trace_id: int | None = None
        self._span_id: int | None = None

    def set_next(self, trace_id: int | None, span_id: int | None) -> None:
        """The next span has this id and, if it has no parent, this id of its trace; None for a random one."""
        self._trace_id, self._span_id = trace_id, span_id

    def generate_trace_id(self) -> int:
        trace_id, self._trace_id = self._trace_id, None
        return super().generate_trace_id() if trace_id is None else trace_id

    def generate_span_id(self) -> int:
        span_id, self._span_id = self._span_id, None
        return super().generate_span_id() if span_id is None else span_id

    def is_trace_id_random(self) -> bool:
        # Half of the bits of a task's id are.
        return False


def attempt_span_id(task_id: TaskId, attempt: int) -> int:
    """The id of the span of an attempt."""
    digest = blake2b(task_id.bytes + attempt.to_bytes(8, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1


def span_context(traceparent: str | None) -> SpanContext | None:
    """The context that a `traceparent` names; None if it is missing or malformed."""
    if traceparent is None or (found := _TRACEPARENT.fullmatch(traceparent)) is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))


def traceparent_of(context: SpanContext) -> str:
    """The `traceparent` of a context."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def parent_context(parent: SpanContext | None) -> Context:
    """The context in which a child of this span is started; without a parent it is that of a root."""
    # Never the current context: that of a library could be active.
    return Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())

"""The steps that make up a flow, with requests and responses as plain values.

A flow is a generator: it yields a step, receives the result of that step, and returns the result of the call. A driver
performs the steps: over HTTP with or without asyncio (`client.http`), or in a test without any network.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request. Every request may be sent again: those that create something have an `Idempotency-Key`.

    `read_timeout_seconds` is the longest time without a byte of the response; None means the client's setting.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    read_timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response; the names of headers are in lower case. The response of an open stream has no body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Lost:
    """No complete response arrived; whether the service received the request is unknown."""

    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; the result is a `Response` or `Lost`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Open:
    """Open a stream; the result is `Lost`, or a `Response` without its body, which `Read` returns.

    The `Response` of an error has its body.
    """

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Read the open stream; the result is its next bytes, `b""` at its end, or `Lost` if it broke."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the open stream."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Pass an item to the caller, who then continues the flow."""

    item: Any


Step = Send | Pause | Open | Read | Close | Emit
StepResult = Response | Lost | bytes | None
Flow = Generator[Step, StepResult, T]


def send(request: Request) -> Flow[Response | Lost]:
    """The flow that sends one request."""
    outcome = yield Send(request)
    assert isinstance(outcome, (Response, Lost))
    return outcome


def open_stream(request: Request) -> Flow[Response | Lost]:
    """The flow that opens a stream."""
    outcome = yield Open(request)
    assert isinstance(outcome, (Response, Lost))
    return outcome


def read_stream() -> Flow[bytes | Lost]:
    """Read the next bytes of the open stream."""
    outcome = yield Read()
    assert isinstance(outcome, (bytes, Lost))
    return outcome

"""Requests and answers as plain values, and the steps that a conversation with a service is made of.

A conversation is a generator: it yields a step, is sent what came of it, and returns its result. Whoever drives it does
the steps, over sockets, with or without asyncio, or in a test over nothing at all.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. Any request may be sent again: one that makes something carries an `Idempotency-Key`.

    `silence_seconds` is the longest time without a byte of the answer; None is the connection's own.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    silence_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What was answered; names of headers are in lower case. That of an open stream has no body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer, or no more of it; whether the request arrived is not known."""

    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """Ask, and give the answer: a `Response` or `Lost`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Pause:
    """Let so much time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Open:
    """Ask, and give a `Response` whose body is still to come, or `Lost`; an error's body has come with it."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Give the next bytes of the open stream; none at its end, `Lost` where it broke off."""


@dataclass(frozen=True, slots=True)
class Close:
    """Have done with the open stream."""


@dataclass(frozen=True, slots=True)
class Give:
    """Hand this to the caller, who will come back for more."""

    item: Any


Step = Send | Pause | Open | Read | Close | Give
Outcome = Response | Lost | bytes | None
Flow = Generator[Step, Outcome, T]


def sent(request: Request) -> Flow[Response | Lost]:
    """Send a request."""
    outcome = yield Send(request)
    assert isinstance(outcome, (Response, Lost))
    return outcome


def opened(request: Request) -> Flow[Response | Lost]:
    """Open a stream."""
    outcome = yield Open(request)
    assert isinstance(outcome, (Response, Lost))
    return outcome


def heard() -> Flow[bytes | Lost]:
    """Read on in the open stream."""
    outcome = yield Read()
    assert isinstance(outcome, (bytes, Lost))
    return outcome

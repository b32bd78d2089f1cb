"""Responses that `protocol.py` sends without the application, and a transport that delays its close."""

from collections.abc import Callable, Iterable
from typing import Protocol
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from ketline.api.responses.errors import CORRELATION_KEY, HTTPProblem, problem_response


def rejection(code: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The bytes of a response with the problem document of this code and these additional headers."""
    response = problem_response({"type": "http", CORRELATION_KEY: uuid4().hex}, HTTPProblem(code))
    response.headers["Connection"] = "close"
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in (*headers, *response.raw_headers))
    return STATUS_LINE[response.status_code] + lines + b"\r\n" + bytes(response.body)


class _Transport(Protocol):
    def write(self, data: bytes) -> None: ...

    def is_closing(self) -> bool: ...


class LingeringTransport:
    """The transport for the response to a request that is still arriving: `close` calls `linger` instead."""

    __slots__ = ("_linger", "_transport")

    def __init__(self, transport: _Transport, linger: Callable[[], None]) -> None:
        self._transport = transport
        self._linger = linger

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._linger()

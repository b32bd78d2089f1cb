"""A middleware that rejects a request whose query parameters cannot be stored as text."""

from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from ketline.api.responses.errors import problem_response
from ketline.api.responses.field_errors import invalid_request


class StorableParameters:
    """Rejects query parameters that are not UTF-8 after percent-decoding, or contain NUL.

    The framework would replace invalid bytes with U+FFFD, which would silently change a filter. PostgreSQL cannot store
    NUL in text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (unstorable := unstorable_parameters(scope["query_string"])):
            text = "must be UTF-8, percent-encoded, without NUL characters"
            problem = invalid_request(
                [{"type": "unstorable", "loc": ("query", name), "msg": text} for name in unstorable]
            )
            await problem_response(scope, problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def unstorable_parameters(query: bytes) -> list[str]:
    """The names of the parameters of a query string that are not UTF-8 or contain NUL, each once and in order."""
    if b"%" not in query and query.isascii() and b"\x00" not in query:
        return []
    parts = [part.partition(b"=") for part in query.split(b"&")]
    names = [_text(name) or "?" for name, _, value in parts if _text(name) is None or _text(value) is None]
    return list(dict.fromkeys(names))


def _text(encoded: bytes) -> str | None:
    try:
        decoded = unquote_to_bytes(encoded.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        return None
    return None if "\x00" in decoded else decoded

"""Refuse requests that change something where a browser says that a page of another site sent them.

Source: W3C Fetch Metadata Request Headers, `Sec-Fetch-Site`; WHATWG Fetch, section 3.2 (`Origin`).
"""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ketline.api.responses.errors import HTTPProblem, problem_response

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# `none` is a person's own doing, such as a form sent again by reloading it.
_OWN = frozenset({"same-origin", "none"})


class SameOrigin:
    """Lets through what this service's own pages send, and what is sent by no browser.

    A browser always says where a request with a body comes from, and no page can keep it from doing so or make it lie:
    with `Sec-Fetch-Site` where the connection is safe, with `Origin` everywhere.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in _READING and _is_foreign(Headers(scope=scope)):
            await problem_response(scope, HTTPProblem("cross_site_refused"))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_foreign(headers: Mapping[str, str]) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN
    origin = headers.get("origin")
    if origin is None:
        return False
    # No page of another site can have a browser send the second of these.
    return _host(origin) not in {headers.get("host"), headers.get("x-forwarded-host")}


def _host(origin: str) -> str:
    """Its host and port; of an origin that has none, as `null` has, nothing that is a host's."""
    return origin.partition("://")[2] or "null:"

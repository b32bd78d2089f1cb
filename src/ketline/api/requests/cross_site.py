"""A middleware against cross-site request forgery: rejects changing requests that a browser sends for another site.

Source: W3C Fetch Metadata Request Headers, `Sec-Fetch-Site`; WHATWG Fetch, section 3.2 (`Origin`).
"""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ketline.api.responses.errors import HTTPProblem, problem_response

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# `none` means that the user caused the request, for example by reloading a form.
_OWN = frozenset({"same-origin", "none"})


class SameOrigin:
    """Passes on requests of this service's own pages, and requests that no browser sent.

    A browser always states the origin of a request with a body, and a page cannot prevent or change that: in
    `Sec-Fetch-Site` on a secure connection, in `Origin` on any.
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
    # A page of another site cannot make a browser send X-Forwarded-Host.
    return _host(origin) not in {headers.get("host"), headers.get("x-forwarded-host")}


def _host(origin: str) -> str:
    """Host and port of an origin; for one without a host, such as `null`, text that equals no host."""
    return origin.partition("://")[2] or "null:"

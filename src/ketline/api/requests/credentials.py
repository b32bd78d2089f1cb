"""The credentials of a request: a bearer token or the cookie of a session. The guard, the sign-in and the pages use it.

Browsers send a cookie also with a request that a page of another site causes. A form of the pages therefore contains a
CSRF token, which only those who know the cookie can compute.

Source: RFC 6750, section 2.1 (`Authorization: Bearer`); RFC 6265bis (`Secure`, `HttpOnly`, `SameSite`).
"""

from hashlib import sha256
from hmac import compare_digest

from fastapi import Request, Response
from starlette.types import Scope

from ketline.api.requests.hosts import LOOPBACK, host_name
from ketline.api.responses.errors import HTTPProblem
from ketline.domain.access.principals import Principal, ProjectName
from ketline.domain.errors import ProjectUnknown
from ketline.service.access.authentication import Authenticate
from ketline.service.access.sessions import is_session

SESSION_COOKIE = "ketline_session"
PROJECT_HEADER = "X-Ketline-Project"
CSRF_FIELD = "csrf_token"
_BEARER = "bearer "
_PAGES = "/ui"


def bearer_token(request: Request) -> str | None:
    """The token in the header `Authorization`, None without one; the token of a session is none."""
    header = request.headers.get("authorization", "")
    token = header[len(_BEARER) :].strip() if header[: len(_BEARER)].lower() == _BEARER else ""
    return token if token and not is_session(token) else None


def session_token(request: Request) -> str | None:
    """The token of the session in the cookie, if the request is one that pages and their links send; else None.

    Those are all requests of pages, and reads of the API: a raw document, a download, an event stream.
    """
    route = request.scope["route"].path
    if route != "/" and not is_page_path(route) and request.scope["method"] != "GET":
        return None
    token = request.cookies.get(SESSION_COOKIE, "")
    return token if is_session(token) else None


async def authenticated_sender(request: Request, authenticate: Authenticate) -> Principal:
    """The sender of a request, as a member of the project that the request names or of the sender's first.

    Raises:
        CredentialsMissing: it has no credentials.
        CredentialsInvalid: they are not valid, or no longer.
        ServiceUnavailable: they cannot be verified now.
        HTTPProblem: there is no such project, or the sender is not a member.
    """
    sender = await authenticate(bearer_token(request) or session_token(request))
    return within_named_project(request, sender)


def within_named_project(request: Request, principal: Principal) -> Principal:
    """The sender of a request, as a member of the project that the request names, if it names one.

    Raises:
        HTTPProblem: there is no such project, or the sender is not a member.
    """
    named = request.headers.get(PROJECT_HEADER)
    chosen = principal if named is None else principal.within(ProjectName(named))
    if chosen is None:
        raise HTTPProblem(ProjectUnknown.code)
    return chosen


def is_page_path(path: str) -> bool:
    """Whether a path, without the prefix of a proxy, is one of the pages other than the first."""
    return path == _PAGES or path.startswith(f"{_PAGES}/")


def csrf_token(secret: str) -> str:
    """The CSRF token of the forms that belong to this secret of a browser."""
    return sha256(f"csrf {secret}".encode()).hexdigest()


def session_secret(session: str, project: ProjectName) -> str:
    """The secret from which the CSRF token of a session's form is made, so that it is valid only in that project."""
    return f"{session} {project}"


def is_csrf_token(given: str, secret: str) -> bool:
    return compare_digest(given.encode(), csrf_token(secret).encode())


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int | None) -> None:
    """Set a cookie that scripts cannot read and that other sites' forms are not sent with."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=not _is_plain_loopback(request), httponly=True, samesite="lax"
    )


def delete_cookie(request: Request, response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(name, path="/", secure=not _is_plain_loopback(request), httponly=True, samesite="lax")


def _is_plain_loopback(request: Request) -> bool:
    """Whether the browser uses plain HTTP on its own machine, where it may not keep a cookie that is `Secure`.

    The `Host` header tells, and not the address of the peer: that of a port which a container publishes on loopback is
    the container network's gateway. A proxy passes on, or itself has, another host name.
    """
    scope: Scope = request.scope
    return (
        scope["scheme"] == "http"
        and host_name(request.headers.get("host", "")) in LOOPBACK
        and request.headers.get("x-forwarded-proto", "http") == "http"
    )

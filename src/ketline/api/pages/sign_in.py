"""The page with which a browser signs in, by an API key or at the identity provider, and the sign-out."""

import re
import secrets
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.pages.forms import field, read_form, require_csrf_token
from ketline.api.pages.responses import page
from ketline.api.requests.attempts import count_failure, require_attempt
from ketline.api.requests.credentials import (
    SESSION_COOKIE,
    csrf_token,
    delete_cookie,
    is_page_path,
    session_token,
    set_cookie,
)
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.rates import count_request
from ketline.api.services import SESSION_KEY, actor_of, origin_of
from ketline.domain.access.principals import Principal
from ketline.domain.errors import CredentialsInvalid, CredentialsMissing, ServiceUnavailable
from ketline.service.access.keys import PREFIX, is_key
from ketline.service.access.rejected_sign_ins import SignInMethod
from ketline.service.services import Services

router = APIRouter(prefix="/ui", include_in_schema=False)

FORM_COOKIE = "ketline_sign_in"
_FORM_SECRET = re.compile(r"[0-9a-f]{32}")
_FORM_SECRET_BYTES = 16
_FORM_SECONDS = 3600
_ENDED = "Your session has ended, or you no longer have rights in its project. Sign in again."
_SLASH = re.compile(r"[/\\]")
_PRINTABLE = re.compile(r"/(?![/\\])[\x21-\x7e]*")


@router.get("/sign-in")
async def show_sign_in(request: Request) -> Response:
    """Show the ways to sign in that the service accepts."""
    wanted = local_path(request.query_params.get("next", ""))
    if services_of_all(request).access.authenticate.anyone is not None:
        return _go_to(wanted)
    ended = await _session_has_ended(request)
    return form_response(request, wanted, _ENDED if ended else None, status=200)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Start a session with the rights of the key in the form, and go to the page that was wanted."""
    services, form = services_of_all(request), await read_form(request)
    wanted = local_path(field(form, "next"))
    if services.access.authenticate.anyone is not None:
        return _go_to(wanted)
    if (secret := _form_secret(request)) is None:
        raise HTTPProblem("csrf_token_invalid")
    await require_csrf_token(request, secret)
    key = field(form, "key").strip()
    await require_sign_in(request, SignInMethod.API_KEY, key)
    principal = await _principal_of_key(services, key)
    if principal is None:
        await reject_sign_in(request, SignInMethod.API_KEY)
        return form_response(request, wanted, "This key is not valid: it is unknown, revoked or expired.")
    return await start_session(request, services, principal, f"..{wanted}")


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session in every process of the service, and have the browser forget its cookie."""
    services, session = services_of_all(request), request.scope.get(SESSION_KEY)
    if session is not None:
        await services.access.sessions.end(session, actor_of(request))
        services.access.authenticate.forget(session)
    response = RedirectResponse("sign-in", status_code=303)
    delete_cookie(request, response, SESSION_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


async def require_sign_in(request: Request, method: SignInMethod, key: str | None = None) -> None:
    """Reject and record a sign-in from an address that has failed too often.

    Raises:
        HTTPProblem: it has.
    """
    services = services_of_all(request)
    try:
        require_attempt(request, services, key)
    except HTTPProblem:
        await services.access.rejected_sign_ins(origin_of(request), method)
        raise


async def reject_sign_in(request: Request, method: SignInMethod) -> None:
    """Count and record a sign-in that failed."""
    services = services_of_all(request)
    count_failure(request, services)
    await services.access.rejected_sign_ins(origin_of(request), method)


async def start_session(request: Request, services: Services, principal: Principal, address: str) -> Response:
    """Sign the browser in, and send it to a relative address.

    Raises:
        HTTPProblem: this is one request too many of the key or the user.
        DatabaseUnavailable: the session is not known to be stored.
    """
    await count_request(request.scope, services.access.rate_limiter, principal)
    session = await services.access.sessions.start(principal, origin_of(request))
    response = RedirectResponse(address, status_code=303)
    set_cookie(request, response, SESSION_COOKIE, session, int(services.access.sessions.lifetime.total_seconds()))
    delete_cookie(request, response, FORM_COOKIE)
    return response


def local_path(wanted: str) -> str:
    """A page of this service by its path and query, or the first page instead of anything else."""
    path = wanted.partition("?")[0]
    is_page = path == "/" or (is_page_path(path) and _is_plain(unquote(path)))
    return wanted if is_page and _PRINTABLE.fullmatch(wanted) else "/"


def _is_plain(path: str) -> bool:
    """Whether a decoded path has no segments which a browser resolves, and is not one of the sign-in."""
    return not path.startswith("/ui/sign-") and not {".", ".."} & set(_SLASH.split(path))


def _go_to(wanted: str) -> RedirectResponse:
    # Relative, so that it works behind a proxy that adds a path prefix, and never leads to another host.
    return RedirectResponse(f"../{wanted.removeprefix('/')}", status_code=303)


def form_response(request: Request, wanted: str, trouble: str | None = None, *, status: int = 401) -> Response:
    """The page of the sign-in, and what went wrong."""
    secret = _form_secret(request) or secrets.token_hex(_FORM_SECRET_BYTES)
    services = services_of_all(request)
    shown = {
        "next": wanted,
        "trouble": trouble,
        "csrf_token": csrf_token(secret),
        "takes_keys": services.access.authenticate.takes(PREFIX),
        "provider": None if services.access.provider is None else services.access.provider.name,
    }
    response = page(request, "sign_in.html", shown, status=status)
    response.headers["Cache-Control"] = "no-store"
    set_cookie(request, response, FORM_COOKIE, secret, _FORM_SECONDS)
    return response


def _form_secret(request: Request) -> str | None:
    """The cookie that a browser got with the form, None without one."""
    secret = request.cookies.get(FORM_COOKIE, "")
    return secret if _FORM_SECRET.fullmatch(secret) else None


async def _session_has_ended(request: Request) -> bool:
    """Whether the browser has the cookie of a session that gives no rights any more."""
    try:
        await services_of_all(request).access.authenticate(session_token(request))
    except CredentialsInvalid:
        return True
    except (CredentialsMissing, ServiceUnavailable):
        pass
    return False


async def _principal_of_key(services: Services, key: str) -> Principal | None:
    if not is_key(key):
        return None
    try:
        return await services.access.authenticate(key)
    except (CredentialsMissing, CredentialsInvalid):
        return None


def services_of_all(request: Request) -> Services:
    """The services of no project: the guard lets everyone pass here."""
    services: Services = request.app.state.services
    return services

"""The routes by which a browser signs in with the identity provider; the sign-in page links to them."""

from hmac import compare_digest
from urllib.parse import quote, unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.pages.sign_in import (
    form_response,
    local_path,
    reject_sign_in,
    require_sign_in,
    services_of_all,
    start_session,
)
from ketline.api.requests.credentials import delete_cookie, set_cookie
from ketline.api.responses.errors import HTTPProblem
from ketline.domain.errors import CredentialsInvalid
from ketline.ports.access.access import ProviderSignIn, SignInAttempt
from ketline.service.access.rejected_sign_ins import SignInMethod

router = APIRouter(prefix="/ui/sign-in", include_in_schema=False)

# Binds a sign-in to the browser that began it, so that no other browser can complete it.
ATTEMPT_COOKIE = "ketline_attempt"
_ATTEMPT_SECONDS = 600
_PARTS = 4


@router.get("/provider")
async def go_to_provider(request: Request) -> Response:
    """Send the browser to the identity provider."""
    url, attempt = await _provider_of(request).begin()
    response = RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})
    wanted = quote(local_path(request.query_params.get("next", "")), safe="")
    cookie = ".".join((attempt.state, attempt.nonce, attempt.verifier, wanted.replace(".", "%2E")))
    set_cookie(request, response, ATTEMPT_COOKIE, cookie, _ATTEMPT_SECONDS)
    return response


@router.get("/callback")
async def come_back(request: Request) -> Response:
    """Start a session for the user whom the identity provider has signed in."""
    provider = _provider_of(request)
    await require_sign_in(request, SignInMethod.PROVIDER)
    parts = request.cookies.get(ATTEMPT_COOKIE, "").split(".")
    state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
    if len(parts) != _PARTS or not compare_digest(state.encode(), parts[0].encode()):
        return await _rejected(request, "/", "This sign-in is not the one that was begun here: try again.")
    attempt, wanted = SignInAttempt(*parts[:3]), local_path(unquote(parts[3]))
    try:
        if not code:
            raise CredentialsInvalid("The provider sent no code.")
        principal = await provider.finish(code, attempt)
    except CredentialsInvalid:
        response = await _rejected(
            request, wanted, "The identity provider did not sign you in, or you have no rights in any project."
        )
    else:
        response = await start_session(request, services_of_all(request), principal, f"../..{wanted}")
    delete_cookie(request, response, ATTEMPT_COOKIE)
    return response


async def _rejected(request: Request, wanted: str, trouble: str) -> Response:
    await reject_sign_in(request, SignInMethod.PROVIDER)
    return form_response(request, wanted, trouble)


def _provider_of(request: Request) -> ProviderSignIn:
    provider = services_of_all(request).access.provider
    if provider is None:
        raise HTTPProblem("path_not_found")
    return provider

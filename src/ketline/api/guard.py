"""The guard before every route: who sends the request, whether the role suffices, and the services of the project.

`create_app` makes it a dependency of every route, and gives each application its `Guard`. A route gets its services
from the guard alone, so it can neither run without it nor see another project.
"""

from collections.abc import Sequence
from functools import lru_cache

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from ketline.api.pages.forms import require_csrf_token
from ketline.api.requests.attempts import count_failure, require_attempt
from ketline.api.requests.credentials import (
    bearer_token,
    session_secret,
    session_token,
    within_named_project,
)
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.rates import count_request
from ketline.api.rights import PUBLIC, RIGHTS, SHOW_REJECTED_FORM
from ketline.api.services import PRINCIPAL_KEY, REJECTED_FORM_KEY, SERVICES_KEY, SESSION_KEY
from ketline.domain.access.principals import Principal, ProjectName
from ketline.domain.errors import CredentialsInvalid, CredentialsMissing
from ketline.service.services import Services

# Projects whose services are kept, with the statistics that they cache.
MAX_PROJECTS = 1000


async def guard(request: Request) -> None:
    """The dependency of every route: lets a request pass, or raises; see `Guard`."""
    await request.app.state.guard(request)


class Guard:
    """Authenticates each request of an application and checks its role by the table of rights."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._authenticate = services.access.authenticate
        self._rate_limiter = services.access.rate_limiter

        @lru_cache(MAX_PROJECTS)
        def within(project: ProjectName) -> Services:
            return services.within(project)

        self._within = within

    async def __call__(self, request: Request) -> None:
        """Let a request pass, with its principal and its services in the scope.

        Raises:
            HTTPProblem: it is not known who sent the request, or the sender may not do this.
            ServiceUnavailable: the credentials cannot be verified now.
        """
        scope = request.scope
        role = RIGHTS[scope["method"], scope["route"].path]
        if role is PUBLIC:
            return
        principal = await self._principal(request)
        if not principal.role.includes(role):
            detail = f"This needs the role {role} or a higher one in the project; yours is {principal.role}."
            raise HTTPProblem("role_insufficient", detail)
        if SESSION_KEY in scope and scope["method"] != "GET":
            await _require_csrf_token(request)
        scope[SERVICES_KEY] = self._within(principal.project)

    async def _principal(self, request: Request) -> Principal:
        """The sender, who is then in the scope, also for the page of a problem; also counts the request."""
        token = bearer_token(request)
        session = session_token(request) if token is None else None
        sender = await self._authenticated(request, token, session)
        request.scope[PRINCIPAL_KEY] = sender
        if session is not None and self._authenticate.anyone is None:
            request.scope[SESSION_KEY] = session
        await count_request(request.scope, self._rate_limiter, sender)
        request.scope[PRINCIPAL_KEY] = principal = within_named_project(request, sender)
        return principal

    async def _authenticated(self, request: Request, token: str | None, session: str | None) -> Principal:
        """The sender; a bearer token that is not valid counts as a failed sign-in."""
        if token is not None:
            require_attempt(request, self._services, token)
        try:
            return await self._authenticate(token or session)
        except (CredentialsMissing, CredentialsInvalid) as error:
            if token is not None:
                count_failure(request, self._services)
            raise HTTPProblem(error.code) from error


async def _require_csrf_token(request: Request) -> None:
    """Reject a form without the token of its session and project, or leave that to a route that shows it again."""
    scope = request.scope
    try:
        await require_csrf_token(request, session_secret(scope[SESSION_KEY], scope[PRINCIPAL_KEY].project))
    except HTTPProblem as problem:
        if (scope["method"], scope["route"].path) not in SHOW_REJECTED_FORM:
            raise
        scope[REJECTED_FORM_KEY] = problem


def require_rights(routes: Sequence[BaseRoute]) -> None:
    """Check that every route is in the table of rights, and every row of the table is a route.

    Raises:
        LookupError: one is not.
    """
    found = {(method, context.path) for context in iter_route_contexts(routes) for method in context.methods or ()}
    if found != set(RIGHTS):
        raise LookupError(f"routes and rights differ: {sorted(found ^ set(RIGHTS), key=str)}")

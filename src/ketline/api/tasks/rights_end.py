"""The end of a sender's rights while a response is under way; event streams and long polls wait for it."""

import asyncio
from datetime import UTC, datetime

from fastapi import Request

from ketline.api.requests.credentials import authenticated_sender
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import principal_of, services_of
from ketline.domain.errors import CredentialsInvalid, CredentialsMissing, ServiceUnavailable

# With the second for which verified credentials are remembered, less than two seconds after a revocation.
CHECK_SECONDS = 0.75


def can_end(request: Request) -> bool:
    """Whether the sender has rights that can end: not where there is no authentication."""
    return services_of(request).access.authenticate.anyone is None


async def wait_for_end_of_rights(request: Request) -> None:
    """Return when the credentials of a request have expired, are revoked, or have become those of another project."""
    while await _last(request):  # noqa: ASYNC110 - nobody tells the process that rights have ended
        await asyncio.sleep(CHECK_SECONDS)


async def _last(request: Request) -> bool:
    """Whether the rights last; while nobody can verify that, they do until they expire."""
    first = principal_of(request)
    if first.expires_at is not None and first.expires_at <= datetime.now(UTC):
        return False
    try:
        present = await authenticated_sender(request, services_of(request).access.authenticate)
    except (CredentialsMissing, CredentialsInvalid, HTTPProblem):
        return False
    except ServiceUnavailable:
        return True
    return present.project == first.project and present.role.includes(first.role)

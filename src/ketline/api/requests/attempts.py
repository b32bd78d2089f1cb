"""The limit of failed sign-ins by address: the guard applies it to bearer tokens, the pages to their sign-in.

A token that was valid when this process verified it last is accepted, so that nobody can lock out users who work from
the same address already.
"""

import math

from fastapi import Request

from ketline.api.responses.errors import RATE_KEY, HTTPProblem
from ketline.api.services import origin_of
from ketline.service.services import Services

_POLICY = "failed-sign-ins"


def require_attempt(request: Request, services: Services, token: str | None = None) -> None:
    """Reject a request from an address that has sent too many invalid credentials, before its own are verified.

    Raises:
        HTTPProblem: it has.
    """
    exceeded = services.access.failed_sign_ins.exceeded(origin_of(request))
    if exceeded is None or (token is not None and services.access.authenticate.knows(token)):
        return
    limit, seconds = exceeded.limit, math.ceil(exceeded.reset_seconds)
    request.scope[RATE_KEY] = (
        (b"ratelimit-policy", f'"{_POLICY}";q={limit.requests};w={limit.seconds}'.encode()),
        (b"ratelimit", f'"{_POLICY}";r=0;t={seconds}'.encode()),
    )
    detail = (
        f"Too many credentials from your address are unknown, revoked or expired; try again in {seconds} s. "
        "A program that continues to send an old key may be the cause."
    )
    raise HTTPProblem("too_many_failed_sign_ins", detail, headers={"Retry-After": str(seconds)})


def count_failure(request: Request, services: Services) -> None:
    """Count credentials that are not valid."""
    services.access.failed_sign_ins.count(origin_of(request))

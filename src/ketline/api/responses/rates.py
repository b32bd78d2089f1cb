"""The header fields about the rate of requests, on each response to a key, and the problem of one request too many.

The guard and the sign-in count requests; the fields are put into the scope, and by the middleware into the response.

Source: draft-ietf-httpapi-ratelimit-headers-10, sections 3 (`RateLimit-Policy`) and 4 (`RateLimit`).
"""

import math

from starlette.types import Scope

from ketline.api.responses.errors import RATE_KEY, HTTPProblem
from ketline.domain.access.principals import Principal
from ketline.domain.access.rate_limits import RateDecision, RateUse
from ketline.ports.access.rate_limits import RateLimiter

Fields = tuple[tuple[bytes, bytes], ...]


async def count_request(scope: Scope, limiter: RateLimiter | None, sender: Principal) -> None:
    """Count a request for its key, or for its owner if it came without one; who has neither is not limited.

    Raises:
        HTTPProblem: it is one too many.
    """
    name = sender.key_id or sender.owner
    if limiter is None or name is None:
        return
    decision = await limiter.hit(name)
    scope[RATE_KEY] = rate_fields(decision)
    if decision.exceeded is not None:
        raise rate_problem(decision.exceeded)


def rate_fields(decision: RateDecision) -> Fields:
    """The fields as ASGI has them; each window is a policy of its own."""
    limits = [use.limit for use in decision.uses]
    policies = ", ".join(f'"{limit.window}";q={limit.requests};w={limit.seconds}' for limit in limits)
    left = ", ".join(f'"{use.limit.window}";r={use.remaining};t={_seconds(use)}' for use in decision.uses)
    return ((b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode()))


def rate_problem(exceeded: RateUse) -> HTTPProblem:
    limit, seconds = exceeded.limit, max(1, _seconds(exceeded))
    detail = f"This key may send {limit.requests} requests a {limit.window}; try again in {seconds} s."
    return HTTPProblem("rate_limited", detail, headers={"Retry-After": str(seconds)})


def _seconds(use: RateUse) -> int:
    return math.ceil(use.reset_seconds)

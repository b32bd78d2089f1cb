"""The problem of a submission that a quota does not permit, and the header fields about limits. Used by `handlers.py`.

Source: draft-ietf-httpapi-ratelimit-headers-10, sections 3 (`RateLimit-Policy`) and 4 (`RateLimit`).
"""

import math

from ketline.api.responses.errors import HTTPProblem
from ketline.domain.access.quotas import DAILY
from ketline.domain.errors import QuotaExceeded, QuotaExhausted

_DAY_SECONDS = 86_400
# As for a full backlog: tasks end all the time.
_RETRY_SECONDS = 5


def quota_problem(error: QuotaExceeded) -> HTTPProblem:
    """The problem with the name of the quota, what is used of it, and when it is free."""
    headers = _headers(error) if isinstance(error, QuotaExhausted) else {}
    return HTTPProblem(error.code, str(error), headers=headers, quota=error)


def _headers(error: QuotaExhausted) -> dict[str, str]:
    seconds = _RETRY_SECONDS if error.retry_after is None else math.ceil(error.retry_after.total_seconds())
    window = f";w={_DAY_SECONDS}" if error.quota in DAILY else ""
    left = max(0, math.floor(error.limit - error.used))
    return {
        "Retry-After": str(seconds),
        "RateLimit-Policy": f'"{error.quota}";q={math.floor(error.limit)}{window}',
        "RateLimit": f'"{error.quota}";r={left};t={seconds}',
    }

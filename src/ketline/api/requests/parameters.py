"""A check for unknown query parameters, so that a misspelt filter is not ignored. Used by routes."""

from fastapi import Request

from ketline.api.responses.field_errors import invalid_request


def require_known_parameters(request: Request, *known: str) -> None:
    """Check that the request has no other query parameters than these.

    Raises:
        HTTPProblem: it has others, which the problem names.
    """
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        raise invalid_request(
            [{"type": "unknown", "loc": ("query", name), "msg": "is not a known parameter"} for name in unknown]
        )

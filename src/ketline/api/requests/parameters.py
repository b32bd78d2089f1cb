"""Refuse parameters of an address that mean nothing there: a misspelt filter must not be taken for none."""

from fastapi import Request

from ketline.api.responses.field_errors import invalid_request


def require_known_parameters(request: Request, *known: str) -> None:
    """Return when the address has no other parameters than these.

    Raises:
        Refusal: it has; they are named.
    """
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        raise invalid_request(
            [{"type": "unknown", "loc": ("query", name), "msg": "is not a known parameter"} for name in unknown]
        )

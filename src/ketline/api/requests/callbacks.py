"""Checks the callbacks of requests against what the operator permits."""

from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import ApiOptions
from ketline.domain.webhooks.callback_url import parse_callback


def require_permitted_callback(url: str | None, options: ApiOptions, path: tuple[str | int, ...] = ()) -> None:
    """Check a valid URL, if there is one; `path` is that of its object in the body.

    A host name is not resolved here: its addresses are checked before each attempt.

    Raises:
        HTTPProblem: this service never calls the URL.
    """
    if url is None:
        return
    if (rejection := options.callbacks.rejection(parse_callback(url))) is not None:
        text = f"is not permitted: {rejection}"
        raise invalid_request([{"type": "callback", "loc": ("body", *path, "callback"), "msg": text}])

"""Say what is wrong with a request, field by field, without repeating what was sent."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from ketline.api.responses.errors import HTTPProblem
from ketline.schemas.tasks import FieldError

# A body of a few megabytes can hold half a million unknown fields: only so many are worth listing, or the work.
MOST_LISTED = 20
_LONGEST_NAME = 64

_MESSAGES: Mapping[str, str] = {
    "dict_type": "must be a JSON object",
    "enum": "must be {expected}",
    "extra_forbidden": "is not a known field",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be an integer",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "missing": "is required",
    "model_type": "must be a JSON object",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must not be empty",
    "uuid_parsing": "must be a UUID",
}


def invalid_body(error: ValidationError) -> HTTPProblem:
    """Turn what a model says about a JSON body into a refusal."""
    if error.error_count() > MOST_LISTED:
        return invalid_request([{"type": "too_many", "loc": ("body",), "msg": f"has {error.error_count()} errors"}])
    # `input` would echo the program, and `url` points at pydantic's site.
    found = error.errors(include_input=False, include_url=False)
    if found[0]["type"] == "json_invalid":
        return _refuse_json(str(found[0].get("ctx", {}).get("error", "")))
    return invalid_request([{**one, "loc": ("body", *one["loc"])} for one in found])


def invalid_request(found: Sequence[Mapping[str, Any]]) -> HTTPProblem:
    """Turn errors in pydantic's form, each located in body, path or query, into a refusal."""
    errors = [_field_error(one) for one in found[:MOST_LISTED]]
    return HTTPProblem("invalid_request", "; ".join(map(_sentence, errors)) + ".", errors=errors)


def _refuse_json(reason: str) -> HTTPProblem:
    hint = "; a \\u escape must name a whole character, surrogates only in pairs" if "hex escape" in reason else ""
    return HTTPProblem("invalid_json", f"The request body is not valid JSON: {reason}{hint}.")


def _field_error(found: Mapping[str, Any]) -> FieldError:
    context = found.get("ctx", {})
    known = _MESSAGES.get(found["type"])
    detail = found["msg"] if known is None else known.format_map(context)
    place, *path = found["loc"]
    if place != "body":
        unknown = place == "query" and found["type"] == "extra_forbidden"
        # A model's own check names the parameter that it is about.
        path = [context["field"]] if "field" in context else path
        return FieldError(
            detail="is not a known parameter" if unknown else detail, parameter=".".join(map(_short, path))
        )
    # A model's own check has no field of its own and names one.
    path = [*path, *([context["field"]] if "field" in context else [])]
    return FieldError(detail=detail, pointer=_pointer(path))


def _pointer(path: Sequence[object]) -> str:
    """JSON Pointer in URI fragment form. Source: RFC 6901, sections 3 and 6; used so by RFC 9457, section 3."""
    return "#" + "".join("/" + quote(_short(part).replace("~", "~0").replace("/", "~1"), safe="~") for part in path)


def _short(part: object) -> str:
    name = str(part)
    return name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


def _sentence(error: FieldError) -> str:
    if error.parameter is not None:
        return f"{error.parameter} {error.detail}"
    field = (error.pointer or "#").removeprefix("#").removeprefix("/")
    return f"{field or 'the body'} {error.detail}"

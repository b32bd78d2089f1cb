"""Builds problems for invalid requests, with an error for each field and without submitted values.

Code that checks a body or parameters calls it, and so does `handlers.py` for requests that FastAPI rejected.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from ketline.api.responses.errors import HTTPProblem
from ketline.domain.errors import DeviceInvalid
from ketline.schemas.problems import FieldError

# A body of a few megabytes can have half a million invalid fields: only this many are listed.
MAX_LISTED = 20
_MAX_NAME_CHARACTERS = 64

# Messages by Pydantic's error type; for other types, Pydantic's own message is used.
_MESSAGES: Mapping[str, str] = {
    "bool_type": "must be true or false",
    "dict_type": "must be a JSON object",
    "enum": "must be {expected}",
    "extra_forbidden": "is not a known field",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be an integer",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_type": "must be a JSON object",
    "none_required": "must be null",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must not be empty",
    "uuid_parsing": "must be a UUID",
}


def invalid_body(error: ValidationError) -> HTTPProblem:
    """Convert Pydantic's error for a JSON body to a problem."""
    if error.error_count() > MAX_LISTED:
        return invalid_request([{"type": "too_many", "loc": ("body",), "msg": f"has {error.error_count()} errors"}])
    # `input` would repeat the program, and `url` points to Pydantic's site.
    found = error.errors(include_input=False, include_url=False)
    if found[0]["type"] == "json_invalid":
        return _json_problem(str(found[0].get("ctx", {}).get("error", "")))
    return invalid_request([{**fault, "loc": ("body", *fault["loc"])} for fault in found])


def invalid_request(found: Sequence[Mapping[str, Any]]) -> HTTPProblem:
    """Convert errors in Pydantic's form, each located in body, path or query, to a problem."""
    errors = [_field_error(fault) for fault in found[:MAX_LISTED]]
    return HTTPProblem("invalid_request", "; ".join(map(_sentence, errors)) + ".", errors=errors)


def invalid_device(error: DeviceInvalid) -> HTTPProblem:
    """Convert the error for JSON that describes no device to a problem."""
    return HTTPProblem(error.code, f"{error}.", errors=[FieldError(detail=error.detail, pointer=_pointer(error.path))])


def _json_problem(reason: str) -> HTTPProblem:
    hint = "; a \\u escape must name a whole character, surrogates only in pairs" if "hex escape" in reason else ""
    return HTTPProblem("invalid_json", f"The request body is not valid JSON: {reason}{hint}.")


def _field_error(found: Mapping[str, Any]) -> FieldError:
    context = found.get("ctx", {})
    known = _MESSAGES.get(found["type"])
    detail = found["msg"] if known is None else known.format_map(context)
    part, *path = found["loc"]
    if part != "body":
        unknown = part == "query" and found["type"] == "extra_forbidden"
        # A validator of the whole model names its parameter.
        path = [context["field"]] if "field" in context else path
        return FieldError(
            detail="is not a known parameter" if unknown else detail, parameter=".".join(map(_short, path))
        )
    # A validator of the whole model names its field.
    path = [*path, *([context["field"]] if "field" in context else [])]
    return FieldError(detail=detail, pointer=_pointer(path))


def _pointer(path: Sequence[object]) -> str:
    """JSON Pointer in URI fragment form. Source: RFC 6901, sections 3 and 6, as RFC 9457, section 3, uses it."""
    return "#" + "".join("/" + quote(_short(part).replace("~", "~0").replace("/", "~1"), safe="~") for part in path)


def _short(part: object) -> str:
    name = str(part)
    return name if len(name) <= _MAX_NAME_CHARACTERS else name[:_MAX_NAME_CHARACTERS] + "…"


def _sentence(error: FieldError) -> str:
    if error.parameter is not None:
        return f"{error.parameter} {error.detail}"
    field = (error.pointer or "#").removeprefix("#").removeprefix("/")
    return f"{field or 'the body'} {error.detail}"

"""The type of a request's `gradient`."""

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ketline.domain.limits import MAX_GRADIENT_INPUTS
from ketline.domain.results.gradients import GradientMethod

_METHODS = [one.value for one in GradientMethod]


def _check(value: object) -> object:
    """The object that a request means, or None; by hand, since a union would list the errors of each member."""
    if value is None or value is False:
        return None
    if value is True:
        value = {}
    elif isinstance(value, list):
        value = {"inputs": value}
    if not isinstance(value, dict) or not value.keys() <= {"inputs", "method"}:
        raise _error("must be true, a list of names of inputs, or an object with 'inputs' and 'method'")
    method, names = value.get("method", GradientMethod.AUTOMATIC.value), value.get("inputs")
    if method not in _METHODS:
        raise _error(f"must have one of the methods {', '.join(_METHODS)}")
    if names is not None:
        _check_names(names)
    return {"method": method} if names is None else {"method": method, "inputs": names}


def _check_names(names: object) -> None:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise _error("must have names of inputs, at least one")
    if len(names) > MAX_GRADIENT_INPUTS:
        raise _error(f"must name at most {MAX_GRADIENT_INPUTS} inputs")
    if len(set(names)) < len(names):
        raise _error("must name each input once")


def _error(message: str) -> PydanticCustomError:
    return PydanticCustomError("gradient", "{message}", {"message": message})


_NAMES = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": MAX_GRADIENT_INPUTS}
_OBJECT = {
    "type": "object",
    "properties": {
        "inputs": {**_NAMES, "description": "Inputs by name; default: all of types `float` and `angle`"},
        "method": {"type": "string", "enum": _METHODS},
    },
    "additionalProperties": False,
}
GradientRequest = Annotated[
    dict[str, object] | None,
    BeforeValidator(_check),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, _NAMES, _OBJECT, {"type": "null"}]}),
]

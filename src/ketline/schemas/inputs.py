"""The type of a request's `inputs`: values for the program's `input` declarations."""

import re
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ketline.domain.limits import MAX_ARRAY_DIMENSIONS, MAX_ARRAY_ELEMENTS, MAX_INPUT_BITS, MAX_INPUTS, MAX_SWEEP_POINTS
from ketline.domain.tasks.inputs import InputValue

MAX_INPUT_NAME_CHARACTERS = 255
_MAX_INPUT = 2**64
_BITS = re.compile(f"[01]{{1,{MAX_INPUT_BITS}}}")
_INDEX = re.compile(r"\[[0-9]+\]$")

_ARRAY = {
    "type": "object",
    "properties": {"array": {"type": "array", "items": {}, "minItems": 1, "maxItems": MAX_ARRAY_ELEMENTS}},
    "required": ["array"],
    "additionalProperties": False,
}
_VALUE = {
    "anyOf": [
        {"type": "boolean"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "string", "pattern": f"^{_BITS.pattern}$"},
        _ARRAY,
    ]
}
_SCHEMA = {
    "type": "object",
    "maxProperties": MAX_INPUTS,
    "additionalProperties": {
        "anyOf": [*_VALUE["anyOf"], {"type": "array", "items": _VALUE, "minItems": 1, "maxItems": MAX_SWEEP_POINTS}]
    },
}


def _check(inputs: object) -> object:
    """Check by hand, up to the first error: Pydantic's union would list errors of each member for 10,000 values."""
    if not isinstance(inputs, dict):
        raise _error("must be a JSON object of values by name")
    if len(inputs) > MAX_INPUTS:
        raise _error(f"must have at most {MAX_INPUTS} names")
    lengths = set()
    for name, values in inputs.items():
        _check_name(name)
        if isinstance(values, list):
            lengths.add(len(values))
            _check_length(values)
        for value in values if isinstance(values, list) else (values,):
            _check_value(value)
    if len(lengths) > 1:
        raise _error("must have lists of one length: point k takes the k-th of each")
    return inputs


def _check_name(name: str) -> None:
    # Parameters of QPY may be elements of vectors: "x[3]".
    if not _INDEX.sub("", name).isidentifier() or len(name) > MAX_INPUT_NAME_CHARACTERS:
        raise _error("must have identifiers for names")


def _check_length(values: list[object]) -> None:
    if not 1 <= len(values) <= MAX_SWEEP_POINTS:
        raise _error(f"must have lists of 1 to {MAX_SWEEP_POINTS} values")


def _check_value(value: object) -> None:
    if isinstance(value, dict):
        _check_array(value)
    else:
        _check_scalar(value)


def _check_array(value: dict[object, object]) -> None:
    if value.keys() != {"array"} or not isinstance(value["array"], list):
        raise _error('must have objects with an "array" only, which is a list')
    rows: list[object] = [value["array"]]
    for _ in range(MAX_ARRAY_DIMENSIONS):
        inner: list[object] = []
        for row in rows:
            if isinstance(row, list):
                inner += row or [None]
            else:
                _check_scalar(row)
        if len(inner) > MAX_ARRAY_ELEMENTS:
            raise _error(f"must have arrays of at most {MAX_ARRAY_ELEMENTS} elements")
        rows = inner
    for element in rows:
        _check_scalar(element)


def _check_scalar(value: object) -> None:
    if isinstance(value, str):
        if not _BITS.fullmatch(value):
            raise _error("must have strings of 0 and 1 only")
    elif not isinstance(value, (bool, int, float)):
        raise _error("must have numbers, booleans, strings of bits, arrays, or lists of them")
    elif not abs(value) < _MAX_INPUT:
        raise _error("must have finite numbers, integers of at most 64 bits")


def _error(message: str) -> PydanticCustomError:
    return PydanticCustomError("inputs", "{message}", {"message": message})


Inputs = Annotated[dict[str, InputValue | list[InputValue]], PlainValidator(_check), WithJsonSchema(_SCHEMA)]

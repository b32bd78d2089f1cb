"""The type of a request's `observables`: sums of Pauli operators."""

import math
import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ketline.domain.limits import MAX_OBSERVABLE_TERMS, MAX_OBSERVABLES

_LABEL = re.compile("[IXYZ]{1,4096}")

Observable = dict[str, float]
_TERMS = {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1}
_LIST = {"type": "array", "items": _TERMS, "maxItems": MAX_OBSERVABLES}


def _check(value: object) -> object:
    """Check one list for all points, or a list for each; by hand, since a union would list errors of each member."""
    if not isinstance(value, list):
        raise _error("must be a list")
    if any(isinstance(item, list) for item in value):
        for of_point in value:
            _check_list(of_point)
            if not of_point:
                raise _error("must not be empty at any point")
        terms = [terms for of_point in value for terms in of_point]
    else:
        check_observables(value)
        return value
    _check_labels([label for observable in terms for label in observable])
    return value


def check_observables(value: object) -> None:
    """Check one list of observables.

    Raises:
        PydanticCustomError: it is none, or labels are not of one length; the message begins with "must".
    """
    _check_list(value)
    assert isinstance(value, list)  # checked
    _check_labels([label for observable in value for label in observable])


def _check_list(value: object) -> None:
    if not isinstance(value, list):
        raise _error("must be a list of observables, or one for each point")
    if len(value) > MAX_OBSERVABLES:
        raise _error(f"must have at most {MAX_OBSERVABLES} observables")
    for observable in value:
        if not isinstance(observable, dict) or not observable:
            raise _error("must be objects of coefficients by label, which must not be empty")
        if not all(map(_is_number, observable.values())):
            raise _error("must have finite numbers for coefficients")


def _check_labels(labels: Iterable[str]) -> None:
    labels = list(labels)
    if len(labels) > MAX_OBSERVABLE_TERMS:
        raise _error(f"must have at most {MAX_OBSERVABLE_TERMS} terms in all")
    if not all(map(_LABEL.fullmatch, labels)):
        raise _error("must have labels of the letters I, X, Y and Z")
    if len(set(map(len, labels))) > 1:
        raise _error("must have labels of one length, a letter for each qubit")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e300 and math.isfinite(value)


def _error(message: str) -> PydanticCustomError:
    return PydanticCustomError("observables", "{message}", {"message": message})


Observables = Annotated[
    list[Observable] | list[list[Observable]],
    BeforeValidator(_check),
    WithJsonSchema({"anyOf": [_LIST, {"type": "array", "items": {**_LIST, "minItems": 1}}]}),
]

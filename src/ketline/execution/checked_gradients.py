"""Checks the gradients that a simulator process sends, which may have run a hostile program. Used by `protocol`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ketline.domain.results.gradients import GradientsAtPoint
from ketline.domain.tasks.inputs import InputValue


def checked_gradients(data: Any, inputs: Mapping[str, InputValue], observables: int) -> GradientsAtPoint:
    """The gradients at one point, one for each observable, whose inputs have these values.

    Raises:
        ValueError: they are of other inputs, of another shape, or something else than finite numbers.
    """
    if type(data) is not list or len(data) != observables or not all(type(one) is dict for one in data):
        raise ValueError("not a gradient for each observable")
    for gradient in data:
        if not gradient or gradient.keys() != data[0].keys() or not gradient.keys() <= inputs.keys():
            raise ValueError("a gradient by other inputs")
        for name, derivatives in gradient.items():
            _check(derivatives, inputs[name])
    gradients: GradientsAtPoint = data
    return gradients


def _check(derivatives: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        value = value["array"]
    if isinstance(value, Sequence) and not isinstance(value, str):
        if type(derivatives) is not list or len(derivatives) != len(value):  # guard: wire.gradients
            raise ValueError("derivatives of another shape than their input")
        for one, element in zip(derivatives, value, strict=True):
            _check(one, element)
    elif type(derivatives) not in (int, float) or not math.isfinite(derivatives):
        raise ValueError("a derivative is no finite number")

"""Gradients: the derivatives of expectation values with respect to the inputs of a program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class GradientMethod(StrEnum):
    """How derivatives are computed; `automatic` is the adjoint method."""

    AUTOMATIC = "automatic"
    ADJOINT = "adjoint"
    PARAMETER_SHIFT = "parameter_shift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """A request for the gradient of each observable: of these inputs by name, or of all real ones if it is None."""

    inputs: tuple[str, ...] | None = None
    method: GradientMethod = GradientMethod.AUTOMATIC

    def as_json(self) -> Mapping[str, Any]:
        """The value as requests and stored tasks have it."""
        inputs = {} if self.inputs is None else {"inputs": list(self.inputs)}
        return {**inputs, "method": self.method.value}


# The derivatives with respect to one input: a number, or nested lists of the shape of an array.
Derivatives = float | Sequence[Any]
# For each observable, the derivatives by the name of the input; of a sweep a sequence of these, one for each point.
GradientsAtPoint = Sequence[Mapping[str, Derivatives]]
Gradients = GradientsAtPoint | Sequence[GradientsAtPoint]


def requested_gradient(value: Mapping[str, Any] | None) -> Gradient | None:
    """A gradient from the form of `as_json`; None if there is none."""
    if value is None:
        return None
    inputs = value.get("inputs")
    return Gradient(inputs=None if inputs is None else tuple(inputs), method=GradientMethod(value["method"]))

"""The inputs by which a gradient is taken: numbers their elements, and makes dual numbers of them."""

from collections.abc import Sequence
from math import tau
from typing import Any

from ketline.domain.errors import GradientInvalid
from ketline.execution.circuit.derivatives.dual import Dual
from ketline.execution.frontend.unroller.kinds import FLOAT, Kind


class DifferentiatedInputs:
    """Inputs of types `float` and `angle`, all or those of some names; each of their elements is a variable."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self._names = None if names is None else frozenset(names)
        self.variables: dict[str, Sequence[int]] = {}
        self._count = 0

    def dual(self, name: str, value: Any, kind: Kind = FLOAT) -> Any:
        """The value of an input of a program, an array as nested tuples, with its elements as variables.

        Raises:
            GradientInvalid: the input is named, and is of another type.
        """
        scalar = kind
        while scalar.base is not None:
            scalar = scalar.base
        if self._names is not None and name not in self._names:
            return value
        if scalar.name not in ("float", "angle"):
            if self._names is None:
                return value
            raise GradientInvalid(f"input '{name[:40]}' is of type '{kind}': a gradient needs 'float' or 'angle'")
        first = self._count
        # An angle is an integer: 2^bits of them are a full turn.
        found = self._numbered(value, 1.0 if scalar.name == "float" else (1 << scalar.bits) / tau)
        self.variables[name] = range(first, self._count)
        return found

    def require_found(self) -> None:
        """Compare the names with the inputs that the program has.

        Raises:
            GradientInvalid: a named input is missing, or there is none to differentiate by.
        """
        if missing := sorted((self._names or frozenset()) - self.variables.keys()):
            raise GradientInvalid(f"'gradient' names '{missing[0][:40]}', and the program has no such input")
        if not self.variables:
            raise GradientInvalid("the program has no input of type 'float' or 'angle' to take a gradient by")

    def _numbered(self, value: Any, slope: float) -> Any:
        if isinstance(value, tuple):
            return tuple(self._numbered(element, slope) for element in value)
        self._count += 1
        return Dual(value, {self._count - 1: slope})

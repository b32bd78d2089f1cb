"""Gradients as rows of a table, for the page of a task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ketline.domain.results.gradients import Derivatives, Gradients


@dataclass(frozen=True, slots=True)
class DerivativeRow:
    """The derivative of an observable, by number, by an input or an element of one, at a point of a sweep."""

    point: int
    observable: int
    input: str
    value: float


def derivative_rows(gradients: Gradients | None, *, swept: bool) -> Iterator[DerivativeRow]:
    """A row for each derivative, point by point and observable by observable."""
    points: Sequence[Any] = () if gradients is None else gradients if swept else [gradients]
    for point, observables in enumerate(points):
        for number, gradient in enumerate(observables):
            for name in sorted(gradient):
                for element, value in _elements(name, gradient[name]):
                    yield DerivativeRow(point, number, element, value)


def _elements(name: str, derivatives: Derivatives) -> Iterator[tuple[str, float]]:
    if not isinstance(derivatives, Sequence):
        yield name, derivatives
        return
    for index, inner in enumerate(derivatives):
        yield from _elements(f"{name}[{index}]", inner)

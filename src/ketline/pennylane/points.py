"""The values of one circuit, of a task of its own or at a point of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The results of one circuit; `slopes` are derivatives of each observable by the places of angles."""

    counts: Mapping[str, int] = field(default_factory=dict)
    expectation_values: Sequence[float] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    slopes: Sequence[Mapping[int, float]] = ()


def points_of(result: Any, members: int, places: Mapping[str, int]) -> list[Point]:
    """The points of the result of a task that ran this number of circuits; `places` are those of the inputs' angles."""
    values, gradients = result.expectation_values or (), result.gradients or ()
    if members == 1:
        values, gradients = [values], [gradients]
    return [
        Point(
            counts=result.points[number] if result.points else {},
            expectation_values=values[number] if values else (),
            outputs=result.saved[number] if result.saved else {},
            slopes=[
                {places[name]: float(slope) for name, slope in by_name.items()}
                for by_name in (gradients[number] if gradients else ())
            ],
        )
        for number in range(members)
    ]

"""Sweeps: tasks that run one program for many values of its inputs."""

from collections.abc import Iterator, Mapping

from ketline.domain.tasks.inputs import Inputs, InputValue
from ketline.domain.tasks.seeds import point_seed

_ONE_VALUE = (bool, int, float, str, Mapping)


def number_of_points(inputs: Inputs) -> int | None:
    """The number of points, or None if no input has a sequence of values."""
    return next((len(values) for values in inputs.values() if not isinstance(values, _ONE_VALUE)), None)


def points_of(inputs: Inputs) -> Iterator[Mapping[str, InputValue]]:
    """The inputs of each point of a sweep, in order, one at a time.

    All sequences have the same length; a single value applies to every point.
    """
    swept = {name: values for name, values in inputs.items() if not isinstance(values, _ONE_VALUE)}
    fixed = {name: value for name, value in inputs.items() if isinstance(value, _ONE_VALUE)}
    for values in zip(*swept.values(), strict=True):
        yield fixed | dict(zip(swept, values, strict=True))


def first_point(inputs: Inputs) -> Mapping[str, InputValue]:
    """The inputs of the first point, or all inputs if the task is not a sweep."""
    return {name: value if isinstance(value, _ONE_VALUE) else value[0] for name, value in inputs.items()}


def seed_at(seed: int | None, number: int) -> int | None:
    """The seed of point `number`, counted from 0, see `point_seed`; None if the task has none."""
    return None if seed is None else point_seed(seed, number)

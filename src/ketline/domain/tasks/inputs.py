"""The types of the values of a program's inputs."""

from collections.abc import Mapping, Sequence

# The value of an array, its elements row by row: {"array": [[1, 2], [3, 4]]}. A list alone makes a sweep.
ArrayValue = Mapping[str, Sequence[object]]


# A value of an `input` declaration; a string gives bits, bit 0 rightmost.
InputValue = bool | int | float | str | ArrayValue


# The values of a program's `input` declarations by name; with a sequence of them the task is a sweep, see `sweep.py`.
Inputs = Mapping[str, InputValue | Sequence[InputValue]]

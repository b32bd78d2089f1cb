"""Finds the outputs in the text of a stored result, so that large ones are sent without being decoded.

Decoded, a number and its list take five times its characters. The text is JSON that the service wrote or the database
shows: an output is an object without objects, whose values, the last of its fields, contain only numbers.
"""

import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ketline.api.responses.arrays import NumberArray, shape_of
from ketline.api.tasks.results import parameter_problem
from ketline.domain.results.outputs import OutputType

_OUTPUTS = re.compile(r'"outputs"\s*:\s*')
_NAMED = re.compile(r'[\s,{]*"([^"]*)"\s*:\s*(?=\{)')
_OPENING = re.compile(r"[\s,[]*(?=\{)")
_CLOSING = re.compile(r"\s*[\]}]")
_VALUES = re.compile(r'\s*,\s*"values"\s*:\s*')
_WITHOUT_NUMBERS = str.maketrans("", "", "[]{} \n")
# Characters that are sent or decoded at a time.
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class OutputText:
    """An output in a text: its JSON is `text[start:end]`."""

    text: str
    start: int
    end: int

    def pieces(self) -> Iterator[str]:
        """Yield its JSON."""
        for start in range(self.start, self.end, _PIECE):
            yield self.text[start : min(start + _PIECE, self.end)]

    def numbers(self) -> NumberArray:
        """Its values as an array."""
        found = _VALUES.search(self.text, self.start, self.end)
        if found is None:
            raise ValueError("a stored output has no values")
        head = json.loads(f"{self.text[self.start : found.start()]}}}")
        numbers, start = array("d"), found.end()
        while start < self.end:
            end = self.text.find(",", min(start + _PIECE, self.end), self.end)
            end = self.end if end < 0 else end
            numbers.extend(map(float, self.text[start:end].translate(_WITHOUT_NUMBERS).split(",")))
            start = end + 1
        of_pairs = self.text.startswith("[[", found.end())
        kind, qubits = OutputType(head["type"]), head["qubits"]
        return NumberArray(kind, qubits, shape_of(kind, len(qubits), len(numbers), of_pairs=of_pairs), numbers)


class ChosenText(NamedTuple):
    """The outputs of the requested points; with `swept` they are encoded as an array."""

    points: Sequence[Mapping[str, OutputText]]
    swept: bool


def chosen_text(text: str, point: int | None) -> ChosenText | None:
    """The outputs of all points in the text of a result, or of the one with index `point`; None if it has none.

    Raises:
        HTTPProblem: it is not a sweep, or has fewer points.
    """
    found = _OUTPUTS.search(text)
    if found is None:
        return None
    if not text.startswith("[", found.end()):
        if point is not None:
            raise parameter_problem("point", "must be left out: this task is no sweep")
        return ChosenText([_named(text, found.end())[0]], swept=False)
    points = list(_points(text, found.end() + 1))
    if point is None:
        return ChosenText(points, swept=True)
    if point >= len(points):
        raise parameter_problem("point", f"must be less than {len(points)}, the number of points of this task")
    return ChosenText([points[point]], swept=False)


def _points(text: str, start: int) -> Iterator[Mapping[str, OutputText]]:
    while (opening := _OPENING.match(text, start)) is not None:
        named, start = _named(text, opening.end())
        yield named


def _named(text: str, start: int) -> tuple[Mapping[str, OutputText], int]:
    """The outputs of one point by name, in an object that begins at `start`, and where it ends."""
    named: dict[str, OutputText] = {}
    while (found := _NAMED.match(text, start)) is not None:
        start = text.index("}", found.end()) + 1
        named[found[1]] = OutputText(text, found.end(), start)
    closing = _CLOSING.match(text, start)
    if closing is None or not named:
        raise ValueError("the outputs of a stored result are not those that the service stores")
    return named, closing.end()

"""Collects the mistakes that checks report, one for each place."""

import re
from typing import Any

from ketline.domain.errors import ExecutionFailed, ProgramInvalid

_MAX_NAME_CHARACTERS = 60
_LONG_NAME = re.compile(rf"\w{{{_MAX_NAME_CHARACTERS + 1},}}")


class Enough(Exception):
    """Raised when the maximum number of mistakes has been found."""


def shortened(message: str) -> str:
    """A message with long names shortened."""
    return _LONG_NAME.sub(lambda name: name[0][:_MAX_NAME_CHARACTERS] + "…", message)


class Report:
    """Mistakes in the order in which they are found, one for each place."""

    def __init__(self, most: int) -> None:
        self.mistakes: list[ExecutionFailed] = []
        self._most = most
        self._places: set[tuple[int | None, int | None]] = set()

    def invalid(self, node: Any, message: str) -> None:
        self.add(ProgramInvalid, node, message)

    def add(self, kind: type[ExecutionFailed], node: Any, message: str) -> None:
        """Report a mistake at a node.

        Raises:
            Enough: it is the last one.
        """
        span = getattr(node, "span", None)
        line, column = (None, None) if span is None else (span.start_line, span.start_column + 1)
        if (line, column) in self._places:
            return
        self._places.add((line, column))
        self.mistakes.append(kind(shortened(message), line=line, column=column))
        if len(self.mistakes) >= self._most:
            raise Enough

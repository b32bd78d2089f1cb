"""Counts as the JSON text in which they are stored: a result travels from the simulator to its row without decoding."""

import json
from collections.abc import Iterator, Mapping


class EncodedCounts(Mapping[str, int]):
    """Counts by bitstring, kept as JSON text; decoded when somebody reads them, which a worker does not.

    `execution.encoded_counts` makes them of text that it has checked.
    """

    __slots__ = ("_decoded", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._decoded: Mapping[str, int] | None = None

    def __getitem__(self, key: str) -> int:
        return self._counts()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts())

    def __len__(self) -> int:
        return len(self._counts())

    def __repr__(self) -> str:
        return f"EncodedCounts({self.text!r})"

    def _counts(self) -> Mapping[str, int]:
        if self._decoded is None:
            self._decoded = json.loads(self.text)
        return self._decoded

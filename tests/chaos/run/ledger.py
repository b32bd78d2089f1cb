"""The record outside the service of what it promised: one line per promise, on disk before it counts."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """An answer that accepted a task."""

    number: int
    key: str
    task_id: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """A request to cancel a task, and the status of its answer once there was one."""

    task_id: str
    status: int | None


class Ledger:
    """Appends promises to a file and reads them back from it."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self.path = path
        self._file = file

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        self._append(
            "acknowledged",
            {
                "number": acknowledgement.number,
                "key": acknowledgement.key,
                "task_id": acknowledgement.task_id,
                "status": acknowledgement.status,
            },
        )

    def cancel(self, cancellation: Cancellation) -> None:
        self._append("cancel", {"task_id": cancellation.task_id, "status": cancellation.status})

    def acknowledgements(self) -> Sequence[Acknowledgement]:
        return [Acknowledgement(**line) for line in self._lines("acknowledged")]

    def cancellations(self) -> Sequence[Cancellation]:
        return [Cancellation(**line) for line in self._lines("cancel")]

    def _append(self, what: str, fields: Mapping[str, object]) -> None:
        self._file.write(json.dumps({"what": what, **fields}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _lines(self, what: str) -> Iterator[dict[str, Any]]:
        for text in self.path.read_text().splitlines():
            line = json.loads(text)
            if line.pop("what") == what:
                yield line


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """A ledger that ends with the context; its file stays."""
    with path.open("a") as file:
        yield Ledger(path, file)

"""What the service's processes logged, read from their files after a run."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTCOMES = frozenset({"task.completed", "task.failed", "task.fenced_off"})
LIBRARY = "a library's"
_SAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Events by how often they were logged, outcomes by task, and the unexpected errors with their first tracebacks."""

    events: Mapping[str, int]
    outcomes: Mapping[str, Mapping[str, Sequence[int]]]
    crashes: Mapping[str, int]
    tracebacks: Sequence[str]


def read_journal(directory: Path) -> Journal:
    """Read every process's log; lines that a kill cut off are passed over."""
    events: Counter[str] = Counter()
    crashes: Counter[str] = Counter()
    outcomes: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    tracebacks: list[str] = []
    for name, line in _lines(directory):
        event = _name(str(line.get("event")))
        events[event] += 1
        if event in OUTCOMES and "task_id" in line:
            outcomes[line["task_id"]][event].append(line["attempt"])
        if line.get("level") in {"error", "critical"}:
            crashes[event] += 1
            if crashes[event] <= _SAMPLES and event != LIBRARY:
                tracebacks.append(f"{name} {line.get('timestamp')} {event}: {line.get('exception', line)}")
    return Journal(events=events, outcomes=outcomes, crashes=crashes, tracebacks=tracebacks)


def _name(event: str) -> str:
    """Our own events have constant names; those of libraries are sentences."""
    return event if re.fullmatch(r"[a-z_.]+", event) else LIBRARY


def _lines(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(directory.glob("*.log")):
        for text in path.read_text(errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield path.stem, line

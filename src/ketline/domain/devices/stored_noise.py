"""Large models of noise, which are stored once for all tasks that have them: tasks have their digests."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

# Models of fewer characters of JSON stay with each task, which shows them.
LARGE_NOISE_CHARACTERS = 1 << 16
_STORED = "stored"


@dataclass(frozen=True, slots=True)
class StoredNoise:
    """A model that is stored by the SHA-256 digest of its text: the noise of a task as JSON with sorted fields.

    The text is empty wherever the task is not run.
    """

    digest: str
    text: str = field(default="", compare=False, repr=False)

    def as_json(self) -> Mapping[str, str]:
        """As a task has it in the column of its noise; `stored_noise` is the inverse.

        Workers of versions that know nothing of stored models find no model in it, and fail the task.
        """
        return {_STORED: self.digest}

    def model(self) -> Any:
        """The noise, from its text."""
        return json.loads(self.text)


def stored_noise(value: Any) -> Any:
    """The noise of a task from its column: itself, or a `StoredNoise` without its text."""
    if isinstance(value, Mapping) and value.keys() == {_STORED}:
        return StoredNoise(value[_STORED])
    return value


def large_noise(noise: Any) -> StoredNoise | None:
    """The noise of a submission as one to be stored, if it is large."""
    layers = [noise] if isinstance(noise, Mapping) else noise or ()
    if not any("model" in layer for layer in layers):
        return None  # those by name are small
    text = json.dumps(noise, sort_keys=True, separators=(",", ":"))
    return StoredNoise(sha256(text.encode()).hexdigest(), text) if len(text) > LARGE_NOISE_CHARACTERS else None

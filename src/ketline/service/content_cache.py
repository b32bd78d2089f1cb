"""A cache of the contents of devices and of large models of noise; `task_devices.py` and `task_noise.py` use it."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

# The database deletes a content without tasks after an hour; the task of a submission is stored much sooner.
STORED_AGAIN_AFTER = timedelta(minutes=10)
MOST_CHARACTERS = 16 << 20


@dataclass(slots=True)
class ContentCache:
    """The contents that a process used last, by digest, up to `MOST_CHARACTERS`, and when it stored each.

    `stored_at` is in seconds of the monotonic clock.
    """

    texts: OrderedDict[str, str] = field(default_factory=OrderedDict)
    stored_at: dict[str, float] = field(default_factory=dict)

    def get(self, digest: str) -> str | None:
        """The content with a digest, if it is cached."""
        if digest in self.texts:
            self.texts.move_to_end(digest)
        return self.texts.get(digest)

    def put(self, digest: str, text: str) -> None:
        """Cache a content, and remove the oldest ones beyond the limit."""
        self.texts[digest] = text
        self.texts.move_to_end(digest)
        while len(self.texts) > 1 and sum(map(len, self.texts.values())) > MOST_CHARACTERS:
            oldest, _ = self.texts.popitem(last=False)
            self.stored_at.pop(oldest, None)

    def put_stored(self, digest: str, text: str, now: float) -> None:
        """Cache a content that this process has just stored."""
        self.put(digest, text)
        self.stored_at[digest] = now

    def was_stored_recently(self, digest: str, now: float) -> bool:
        """Whether this process stored a content so recently that a new task may rely on it."""
        return now - self.stored_at.get(digest, -inf) < STORED_AGAIN_AFTER.total_seconds()

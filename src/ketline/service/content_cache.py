"""A cache of the contents of devices and of large models of noise. Used by `task_devices.py` and `task_noise.py`."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from ketline.domain.access.principals import ProjectName

# The database deletes a content without tasks after an hour; the task of a submission is stored much sooner.
STORED_AGAIN_AFTER = timedelta(minutes=10)
MAX_CHARACTERS = 16 << 20

# A project, and the digest of a content.
ContentKey = tuple[ProjectName, str]


@dataclass(slots=True)
class ContentCache:
    """The contents that a process used last, up to `MAX_CHARACTERS`, and when it stored each.

    `stored_at` is in seconds of the monotonic clock. Projects share no content: a request that is faster would tell
    that another project has the same.
    """

    texts: OrderedDict[ContentKey, str] = field(default_factory=OrderedDict)
    stored_at: dict[ContentKey, float] = field(default_factory=dict)

    def get(self, key: ContentKey) -> str | None:
        """The content with a key, if it is cached."""
        if key in self.texts:
            self.texts.move_to_end(key)
        return self.texts.get(key)

    def put(self, key: ContentKey, text: str) -> None:
        """Cache a content, and remove the oldest ones beyond the limit."""
        self.texts[key] = text
        self.texts.move_to_end(key)
        while len(self.texts) > 1 and sum(map(len, self.texts.values())) > MAX_CHARACTERS:
            oldest, _ = self.texts.popitem(last=False)
            self.stored_at.pop(oldest, None)

    def put_stored(self, key: ContentKey, text: str, now: float) -> None:
        """Cache a content that this process has just stored."""
        self.put(key, text)
        self.stored_at[key] = now

    def was_stored_recently(self, key: ContentKey, now: float) -> bool:
        """Whether this process stored a content so recently that a new task may rely on it."""
        return now - self.stored_at.get(key, -inf) < STORED_AGAIN_AFTER.total_seconds()

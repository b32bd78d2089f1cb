"""The effects of an administrator's intervention in a task."""

from enum import StrEnum


class Requeued(StrEnum):
    """How a task was requeued: it was pending and is published again, or it was taken back from its worker."""

    PUBLISHED = "published"
    TAKEN_BACK = "taken_back"

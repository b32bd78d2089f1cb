"""Notifications of committed changes of tasks, for requests that wait for them."""

from typing import Protocol

from ketline.domain.tasks.task import Change


class Notifier(Protocol):
    """Notifies the waiting requests of all processes; may lose notifications, so waiting requests also poll."""

    def notify(self, *changes: Change) -> None:
        """Send the changes in the background; returns at once and raises nothing."""
        ...

"""Caches which projects have a callback: read once a second, so that a submission needs no query.

`SubmitTask` looks them up; `runtime.services` runs the loop.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from ketline.domain.access.principals import ProjectName
from ketline.ports.access.access import ProjectStore
from ketline.ports.clock import Clock
from ketline.service.loop import Loop

REFRESH_SECONDS = 1.0


@dataclass(slots=True)
class KnownCallbacks:
    """Which projects have a callback; a change is known in every process within two seconds."""

    store: ProjectStore
    clock: Clock
    _known: Collection[ProjectName] | None = field(default=None, init=False)

    async def has(self, project: ProjectName) -> bool:
        """Return whether a project has a callback.

        Raises:
            DatabaseUnavailable: the projects have never been read, and cannot be read now.
        """
        if self._known is None:
            await self.refresh()
        return project in (self._known or ())

    async def refresh(self) -> None:
        """Read which projects have a callback.

        Raises:
            DatabaseUnavailable: the cache is unchanged.
        """
        self._known = await self.store.with_callbacks()

    async def run(self) -> None:
        """Refresh at intervals until cancelled."""
        await Loop(
            self.refresh,
            REFRESH_SECONDS,
            delayed="callbacks.not_read",
            crashed="callbacks.crashed",
            sleep=self.clock.sleep,
            quiet=True,
        ).run()

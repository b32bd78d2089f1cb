"""Caches the quotas of all projects: read once a second, so that a submission needs no query.

`SubmitTask` and `ChangeTask` look up quotas here; `runtime.services` runs the loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ketline.domain.access.principals import ProjectName
from ketline.domain.access.quotas import UNLIMITED, ProjectQuotas
from ketline.ports.access.access import ProjectStore
from ketline.ports.clock import Clock
from ketline.service.loop import Loop

REFRESH_SECONDS = 1.0


@dataclass(slots=True)
class KnownQuotas:
    """The quotas of the projects that have any; a change is known in every process within two seconds.

    Whether a project has quotas decides how its tasks are stored. The transaction that stores them reads the quotas
    again, so that those are up to date. `defaults` apply where a project has none of its own.
    """

    store: ProjectStore
    clock: Clock
    defaults: ProjectQuotas = UNLIMITED
    _known: Mapping[ProjectName, ProjectQuotas] | None = field(default=None, init=False)

    async def of(self, project: ProjectName) -> ProjectQuotas:
        """Return the quotas of a project, with the defaults.

        Raises:
            DatabaseUnavailable: they have never been read, and cannot be read now.
        """
        if self._known is None:
            await self.refresh()
        return (self._known or {}).get(project, self.defaults)

    async def refresh(self) -> None:
        """Read the quotas of all projects.

        Raises:
            DatabaseUnavailable: the cache is unchanged.
        """
        known = await self.store.quotas()
        self._known = {project: quotas.completed(self.defaults) for project, quotas in known.items()}

    async def run(self) -> None:
        """Refresh at intervals until cancelled."""
        await Loop(
            self.refresh,
            REFRESH_SECONDS,
            delayed="quotas.not_read",
            crashed="quotas.crashed",
            sleep=self.clock.sleep,
            quiet=True,
        ).run()

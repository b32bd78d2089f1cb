"""The secrets that sign messages to callbacks; administrators read and rotate them."""

from dataclasses import dataclass
from datetime import timedelta

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.webhooks.deliveries import SigningSecret, new_secret
from ketline.ports.access.access import ProjectStore
from ketline.ports.webhooks import SecretStore


@dataclass(frozen=True, slots=True)
class ManageWebhookSecrets:
    """Reads and rotates the secret of a project, which is created when it is first needed or read."""

    store: SecretStore
    projects: ProjectStore

    async def get(self, project: ProjectName) -> SigningSecret:
        """Return the secret of a project.

        Raises:
            ProjectUnknown: there is no such project.
            DatabaseUnavailable: it could not be read.
        """
        await self.projects.get(project)
        return await self.store.get(project)

    async def rotate(self, project: ProjectName, overlap: timedelta, actor: Actor) -> SigningSecret:
        """Replace the secret of a project; messages are signed with the previous one too for `overlap`.

        Raises:
            ProjectUnknown: there is no such project.
            DatabaseUnavailable: it is unknown whether it was replaced.
        """
        await self.projects.get(project)
        return await self.store.rotate(project, new_secret(), overlap, actor)

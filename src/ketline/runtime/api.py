"""Opens the services of an API process of the distributed service, for `ketline api`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ketline.config import Settings
from ketline.runtime.connections import api_need, compared_connections
from ketline.runtime.database import direct_url, listening, open_repository
from ketline.runtime.metrics import process_metrics
from ketline.runtime.queue import open_publisher
from ketline.runtime.services import open_services
from ketline.runtime.tracing import open_tracing
from ketline.runtime.upkeep import database_contact
from ketline.service.services import Services
from ketline.service.tasks.watch import Watch


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Services]:
    """Open the services of an API process; works also while the database or the broker is down.

    Raises:
        ConfigurationInvalid: the database allows this process too few connections.
    """
    metrics = process_metrics("api")
    async with (
        open_tracing(settings, "api") as tracing,
        open_repository(settings, metrics) as repository,
        open_publisher(settings) as (publisher, dead_letter_box),
    ):
        watch, contact = Watch(repository), database_contact(settings)
        async with (
            compared_connections(repository.database, api_need(settings)),
            open_services(
                settings,
                repository,
                publisher,
                watch,
                contact,
                direct_url(settings),
                metrics,
                dead_letter_box,
                tracing=tracing,
            ) as services,
            listening(settings, repository.database, watch),
        ):
            yield services

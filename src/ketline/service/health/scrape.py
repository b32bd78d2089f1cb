"""A scrape of this process's metrics: checks database and queue, refreshes the gauges, and writes the page.

The routes `/metrics` of API and worker call it.
"""

import asyncio
from dataclasses import dataclass, field

from ketline.domain.operations.metrics import DEPENDENCY_PROBLEM, DEPENDENCY_UP
from ketline.ports.operations.metrics import Exposition, Metrics, MetricsPage, Reading
from ketline.service.health.check import CheckHealth, HealthReport
from ketline.service.health.service_gauges import ServiceGauges


@dataclass(slots=True)
class Scrape:
    """Writes the metrics page within the time limits of the health check and of `gauges`; only APIs have `gauges`."""

    exposition: Exposition
    health: CheckHealth
    gauges: ServiceGauges | None = None
    _report: HealthReport | None = field(default=None, init=False)

    def register(self, metrics: Metrics) -> None:
        """Register the metrics that are read at each scrape."""
        metrics.on_scrape(DEPENDENCY_UP, self._up)
        metrics.on_scrape(DEPENDENCY_PROBLEM, self._problems)
        if self.gauges is not None:
            self.gauges.register(metrics)

    async def __call__(self, accept: str | None) -> MetricsPage:
        """Return the page in a format that the `Accept` header names, also while database and queue are down."""
        if self.gauges is None:
            self._report = await self.health()
        else:
            self._report, _ = await asyncio.gather(self.health(), self.gauges.refresh())
        return self.exposition.render(accept)

    def _up(self) -> Reading:
        report = self._report
        if report is None:
            return {}
        return {("database",): float(report.database_connected), ("queue",): float(report.queue_connected)}

    def _problems(self) -> Reading:
        report = self._report
        if report is None:
            return {}
        problems = {"database": report.database_problem, "queue": report.queue_problem}
        return {(name, code): 1.0 for name, code in problems.items() if code is not None}

"""The metrics of a process: one registry, the version, the delay of the event loop, and the space for data."""

import asyncio
import shutil
from importlib.metadata import version
from pathlib import Path

import structlog

from ketline.db.engine.database import Database
from ketline.db.measurements import SqlServiceMeasurer
from ketline.domain.operations.metrics import BUILD, DATA_FREE, DATA_SIZE, LOOP_LAG
from ketline.ports.operations.metrics import Metrics, Reading
from ketline.ports.tasks.queue import DeadLetterBox
from ketline.prometheus_metrics import PrometheusMetrics
from ketline.runtime.clock import SystemClock
from ketline.service.health.check import CheckHealth
from ketline.service.health.scrape import Scrape
from ketline.service.health.service_gauges import ServiceGauges

log = structlog.get_logger()

LAG_INTERVAL_SECONDS = 0.25


def process_metrics(role: str) -> PrometheusMetrics:
    """The metrics of this process, which is an `api`, a `worker`, or `up`, which is both."""
    metrics = PrometheusMetrics()
    metrics.on_scrape(BUILD, lambda: {(version("ketline"), role): 1.0})
    return metrics


def open_scrape(
    metrics: PrometheusMetrics,
    health: CheckHealth,
    database: Database | None = None,
    dead_letter_box: DeadLetterBox | None = None,
) -> Scrape:
    """The scrape of this process; with a `database` it shows the gauges of the service."""
    gauges = None
    if database is not None:
        gauges = ServiceGauges(SqlServiceMeasurer(database), dead_letter_box, SystemClock())
    scrape = Scrape(metrics, health, gauges)
    scrape.register(metrics)
    return scrape


async def measure_lag(metrics: Metrics) -> None:
    """Observe how late the event loop is, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_INTERVAL_SECONDS
        await asyncio.sleep(LAG_INTERVAL_SECONDS)
        metrics.observe(LOOP_LAG, max(0.0, loop.time() - due))


def show_space(metrics: Metrics, directory: Path) -> None:
    """Show the size of the file system with this directory, and the space that is left on it for this process."""
    metrics.on_scrape(DATA_FREE, lambda: _usage(directory, "free"))
    metrics.on_scrape(DATA_SIZE, lambda: _usage(directory, "total"))


def _usage(directory: Path, what: str) -> Reading:
    try:
        return {(): float(getattr(shutil.disk_usage(directory), what))}
    except OSError:  # the directory was moved or deleted, which the health check reports
        return {}

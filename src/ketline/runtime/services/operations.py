"""Composes the services with which operators watch and control a service."""

from ketline.config import Settings
from ketline.db.audit import SqlAuditLog
from ketline.db.claim_controls import SqlClaimControls
from ketline.db.history import SqlStatisticsHistory
from ketline.db.tasks.interventions import SqlTaskInterventions
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.ports.clock import Clock
from ketline.ports.tasks.queue import DeadLetterBox
from ketline.prometheus_metrics import PrometheusMetrics
from ketline.runtime.metrics import open_scrape
from ketline.runtime.retention import vacuum_of
from ketline.service.health.check import CheckHealth
from ketline.service.health.dead_letters import ManageDeadLetters
from ketline.service.health.pauses import KnownPauses
from ketline.service.services import OperationsServices
from ketline.service.tasks.interventions import InterveneInTasks
from ketline.service.tasks.submission import Outbox


def operations_services(
    settings: Settings,
    repository: SqlTaskRepository,
    outbox: Outbox,
    health: CheckHealth,
    direct_url: str,
    clock: Clock,
    metrics: PrometheusMetrics,
    dead_letter_box: DeadLetterBox | None,
) -> OperationsServices:
    """Compose them on a repository; `direct_url` is the URL of its database without a pooler."""
    database = repository.database
    controls = SqlClaimControls(database)
    return OperationsServices(
        health=health,
        scrape=open_scrape(metrics, health, database, dead_letter_box),
        history=SqlStatisticsHistory(database),
        dead_letters=ManageDeadLetters(clock, SqlAuditLog(database), dead_letter_box),
        claim_controls=controls,
        pauses=KnownPauses(controls, clock),
        interventions=InterveneInTasks(SqlTaskInterventions(database, repository.notifier), outbox.nudge),
        vacuum=vacuum_of(settings, database, direct_url),
    )

"""The endpoints for load balancers and operators: `/health`, `/livez`, `/readyz` and `/version`."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response, status

from ketline.api.services import options_of
from ketline.schemas.health import Connection, HealthView, LivenessView, ReadinessView, VersionView
from ketline.service.health.check import HealthReport
from ketline.service.services import Services

router = APIRouter(tags=["health"])


@router.get(
    "/health",
    operation_id="read_health",
    response_model_exclude_none=True,
    responses={503: {"model": HealthView, "description": "The database or the queue does not work"}},
)
async def read_health(request: Request, response: Response) -> HealthView:
    """Whether the database accepts writes and the queue responds, as of the last second. A problem has the code with
    which requests are rejected meanwhile."""
    report = await _report(request)
    _set_status(response, good=report.healthy)
    return HealthView(
        status="healthy" if report.healthy else "unhealthy",
        timestamp=datetime.now(UTC),
        database_status=_connection(report.database_connected),
        queue_status=_connection(report.queue_connected),
        database_problem=report.database_problem,
        queue_problem=report.queue_problem,
        paused=await _paused(request, report),
    )


@router.get("/livez", operation_id="read_liveness")
async def read_liveness(response: Response) -> LivenessView:
    """The process is up; checks nothing else."""
    _set_status(response, good=True)
    return LivenessView()


@router.get(
    "/readyz",
    operation_id="read_readiness",
    response_model_exclude_none=True,
    responses={503: {"model": ReadinessView, "description": "This process is not ready"}},
)
async def read_readiness(request: Request, response: Response) -> ReadinessView:
    """Whether this process is ready for requests: the database takes writes and, if it has a worker, a simulator is
    ready. With only the queue down it is ready, because submissions are stored and run once the queue is back."""
    report = await _report(request)
    stopping = options_of(request).stopping()
    ready = report.database_connected and report.simulator_problem is None and not stopping
    _set_status(response, good=ready)
    return ReadinessView(
        status="ready" if ready else "not_ready",
        missing=report.missing,
        stopping=stopping,
        database_problem=report.database_problem,
        queue_problem=report.queue_problem,
        simulator_problem=report.simulator_problem,
    )


@router.get("/version", operation_id="read_version", response_model_exclude_none=True)
async def read_version(request: Request, response: Response) -> VersionView:
    """The version of the process that responds; while the service is being upgraded, processes differ."""
    _set_status(response, good=True)
    options = options_of(request)
    return VersionView(version=options.version, revision=options.revision)


async def _report(request: Request) -> HealthReport:
    """The health of the service, which is no project's."""
    services: Services = request.app.state.services
    return await services.operations.health()


async def _paused(request: Request, report: HealthReport) -> bool | None:
    """True while the claims of a queue are paused, as far as that is known; otherwise None."""
    services: Services = request.app.state.services
    return bool(report.database_connected and await services.operations.pauses.last_known()) or None


def _set_status(response: Response, *, good: bool) -> None:
    response.headers["Cache-Control"] = "no-store"
    if not good:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE


def _connection(connected: bool) -> Connection:
    return "connected" if connected else "disconnected"

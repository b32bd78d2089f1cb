"""The HTTP endpoints of a worker: `/livez` and `/readyz` for orchestrators, `/metrics` for a Prometheus server."""

from collections.abc import Awaitable, Callable

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ketline.schemas.health import LivenessView, ReadinessView
from ketline.service.health.check import CheckHealth
from ketline.service.health.scrape import Scrape


def create_health_app(check: CheckHealth, stopping: Callable[[], bool], scrape: Scrape) -> Starlette:
    """The ASGI application; the bodies of the first two have the shapes of the API's health endpoints.

    A worker is ready while its database accepts writes, its broker responds and at least one slot has a simulator.
    It is not ready once `stopping` returns True.
    """
    return Starlette(
        routes=[
            Route("/livez", _liveness),
            Route("/readyz", _readiness(check, stopping)),
            Route("/metrics", _metrics(scrape)),
        ]
    )


async def _liveness(_: Request) -> Response:
    return _response(LivenessView(), good=True)


def _readiness(check: CheckHealth, stopping: Callable[[], bool]) -> Callable[[Request], Awaitable[Response]]:
    async def readiness(_: Request) -> Response:
        report = await check()
        ready = not report.missing and not stopping()
        view = ReadinessView(
            status="ready" if ready else "not_ready",
            missing=report.missing,
            stopping=stopping(),
            database_problem=report.database_problem,
            queue_problem=report.queue_problem,
            simulator_problem=report.simulator_problem,
        )
        return _response(view, good=ready)

    return readiness


def _metrics(scrape: Scrape) -> Callable[[Request], Awaitable[Response]]:
    async def metrics(request: Request) -> Response:
        page = await scrape(request.headers.get("accept"))
        return Response(page.body, headers={"Content-Type": page.media_type, "Cache-Control": "no-store"})

    return metrics


def _response(view: BaseModel, *, good: bool) -> Response:
    return Response(
        view.model_dump_json(exclude_none=True),
        status_code=200 if good else 503,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )

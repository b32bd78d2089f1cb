"""The metrics of an API for a Prometheus server: the route `GET /metrics`, and an application with only that."""

from fastapi import APIRouter, Request, Response
from starlette.applications import Starlette
from starlette.routing import Route

from ketline.api.services import services_of
from ketline.service.health.scrape import Scrape

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def read_metrics(request: Request) -> Response:
    """Counters, histograms and gauges of this process, and gauges of the service."""
    return await _page(request, services_of(request).operations.scrape)


def create_metrics_app(scrape: Scrape) -> Starlette:
    """The ASGI application for a port of its own, which requires no key."""

    async def read(request: Request) -> Response:
        return await _page(request, scrape)

    return Starlette(routes=[Route("/metrics", read)])


async def _page(request: Request, scrape: Scrape) -> Response:
    page = await scrape(request.headers.get("accept"))
    return Response(page.body, headers={"Content-Type": page.media_type, "Cache-Control": "no-store"})

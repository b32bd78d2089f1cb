"""A task's counts as files to keep: JSON, CSV, and the histogram as SVG."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ketline.api.formats import CSV, JSON, write_counts
from ketline.api.results import Place, chosen_points
from ketline.api.stored import stored_task
from ketline.domain.task import Task
from ketline.web.histogram import BarOrder, histogram
from ketline.web.rendering import render

router = APIRouter(prefix="/ui/tasks", include_in_schema=False)

_SANDBOX = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


@router.get("/{task_id}/counts.json")
async def send_json(task_id: UUID, request: Request) -> Response:
    body = await asyncio.to_thread(_counts, await stored_task(request, task_id), JSON)
    return _file(body, JSON, f"counts-{task_id}.json")


@router.get("/{task_id}/counts.csv")
async def send_csv(task_id: UUID, request: Request) -> Response:
    body = await asyncio.to_thread(_counts, await stored_task(request, task_id), CSV)
    return _file(body, CSV, f"counts-{task_id}.csv")


@router.get("/{task_id}/histogram.svg")
async def send_svg(
    task_id: UUID, request: Request, sort: Annotated[BarOrder, Query()] = BarOrder.VALUE, point: Place = None
) -> Response:
    chosen = chosen_points(await stored_task(request, task_id), point)
    bars = await asyncio.to_thread(histogram, chosen.points[0].counts, sort)
    text = render("histogram.svg", {"histogram": bars, "standalone": True}, root="")
    return _file(text.encode(), "image/svg+xml", f"histogram-{task_id}.svg")


def _counts(task: Task, media_type: str) -> bytes:
    chosen = chosen_points(task, None)
    return write_counts([point.counts for point in chosen.points], media_type, swept=chosen.swept)


def _file(body: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", **_SANDBOX}
    return Response(body, media_type=media_type, headers=headers)

"""Downloads of a task's counts as JSON, CSV, and the histogram as SVG; and of its outputs for NumPy."""

import asyncio
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ketline.api.responses.arrays import NPZ
from ketline.api.responses.compression import pack, unpacked_response
from ketline.api.responses.formats import CSV, JSON, write_counts
from ketline.api.responses.representation import MIN_PACKED_BYTES
from ketline.api.tasks.outputs import archive_of, archive_of_text, chosen_outputs, text_of
from ketline.api.tasks.results import PointIndex, chosen_points
from ketline.api.tasks.stored import text_response, with_result
from ketline.domain.tasks.task import Task
from ketline.web.histogram import BarOrder, histogram
from ketline.web.rendering import render

router = APIRouter(prefix="/ui/tasks", include_in_schema=False)

_SANDBOX = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


@router.get("/{task_id}/counts.json")
async def send_json(task_id: UUID, request: Request) -> Response:
    async with with_result(request, task_id) as task:
        body = await asyncio.to_thread(_counts, task, JSON)
        return await _download(body, JSON, f"counts-{task_id}.json")


@router.get("/{task_id}/counts.csv")
async def send_csv(task_id: UUID, request: Request) -> Response:
    async with with_result(request, task_id) as task:
        body = await asyncio.to_thread(_counts, task, CSV)
        return await _download(body, CSV, f"counts-{task_id}.csv")


@router.get("/{task_id}/outputs.npz")
async def send_outputs(task_id: UUID, request: Request) -> Response:
    def write(task: Task) -> Iterable[str | bytes]:
        return [archive_of(chosen_outputs(task, None))]

    def write_text(text: str) -> Iterable[str | bytes]:
        return [archive_of_text(text_of(task_id, text, None))]

    response = await text_response(request, task_id, NPZ, write, write_text)
    response.headers.update(_headers(f"outputs-{task_id}.npz"))
    return response


@router.get("/{task_id}/histogram.svg")
async def send_svg(
    task_id: UUID, request: Request, sort: Annotated[BarOrder, Query()] = BarOrder.VALUE, point: PointIndex = None
) -> Response:
    async with with_result(request, task_id) as task:
        chosen = chosen_points(task, point)
        bars = await asyncio.to_thread(histogram, chosen.points[0].counts, sort)
    text = render("histogram.svg", {"histogram": bars, "standalone": True}, root="")
    return await _download(text.encode(), "image/svg+xml", f"histogram-{task_id}.svg")


def _counts(task: Task, media_type: str) -> bytes:
    chosen = chosen_points(task, None)
    return write_counts([point.counts for point in chosen.points], media_type, swept=chosen.swept)


async def _download(body: bytes, media_type: str, name: str) -> Response:
    headers = _headers(name)
    if len(body) >= MIN_PACKED_BYTES:
        return unpacked_response(await asyncio.to_thread(pack, [body]), media_type, headers, compressed=False)
    return Response(body, media_type=media_type, headers=headers)


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", **_SANDBOX}

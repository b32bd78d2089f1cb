"""The route of the static files of the pages."""

from fastapi import APIRouter
from fastapi.responses import FileResponse

from ketline.api.responses.errors import HTTPProblem
from ketline.web.assets import ASSETS, EDITION

router = APIRouter(include_in_schema=False)


@router.get("/ui/assets/{edition}/{name}")
async def send_file(edition: str, name: str) -> FileResponse:
    if edition != EDITION or name not in ASSETS:
        raise HTTPProblem("path_not_found")
    asset = ASSETS[name]
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(asset.path, media_type=asset.media_type, headers=headers)

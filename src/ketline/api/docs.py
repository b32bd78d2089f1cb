"""The interactive documentation, `/docs`: Swagger UI from files of this package, without other servers."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from ketline.api.responses.errors import HTTPProblem

SWAGGER_VERSION = "5.35.0"

router = APIRouter(include_in_schema=False)

_STATIC = Path(__file__).parent / "static"
_ASSETS: Mapping[str, tuple[Path, str]] = {
    "swagger-ui-bundle.js": (_STATIC / "swagger" / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (_STATIC / "swagger" / "swagger-ui.css", "text/css"),
    "favicon-32x32.png": (_STATIC / "swagger" / "favicon-32x32.png", "image/png"),
    "start.js": (_STATIC / "docs" / "start.js", "text/javascript"),
}

# Part of every asset's URL, so that browsers may cache it for ever.
_EDITION = f"{SWAGGER_VERSION}-{sha256((_STATIC / 'docs' / 'start.js').read_bytes()).hexdigest()[:8]}"

# Swagger UI sets style attributes; its scripts only load this server's OpenAPI document.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ketline API</title>
<link rel="icon" type="image/png" href="docs/assets/{_EDITION}/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/{_EDITION}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> has the same content.</noscript>
<script src="docs/assets/{_EDITION}/swagger-ui-bundle.js"></script>
<script src="docs/assets/{_EDITION}/start.js"></script>
</body>
</html>
"""


@router.get("/docs")
async def show_docs() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/openapi.json")
async def send_openapi(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())


@router.get("/docs/assets/{edition}/{name}")
async def send_asset(edition: str, name: str) -> FileResponse:
    if edition != _EDITION or name not in _ASSETS:
        raise HTTPProblem("path_not_found")
    path, media_type = _ASSETS[name]
    return FileResponse(path, media_type=media_type, headers={"Cache-Control": "public, max-age=31536000, immutable"})

"""The static files of the pages, and the version in their URLs, which changes with their content.

`api/pages/files.py` serves them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

STATIC = Path(__file__).parent / "static"
VENDOR = STATIC / "vendor"

_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FILES = (
    STATIC / "ketline.css",
    STATIC / "ketline.js",
    STATIC / "icon.svg",
    VENDOR / "htmx.min.js",
    VENDOR / "hx-sse.min.js",
    VENDOR / "prism-core.min.js",
    VENDOR / "prism-openqasm.min.js",
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file and its media type."""

    path: Path
    media_type: str


ASSETS: Mapping[str, Asset] = {path.name: Asset(path, _MEDIA_TYPES[path.suffix]) for path in _FILES}

# Part of every asset's URL, so that browsers may cache it for ever.
EDITION = sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()[:12]

"""The vendored files are what they are said to be, with their licences."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from ketline.web.assets import ASSETS, STATIC, VENDOR

BROWSER_VENDOR = Path(__file__).parents[2] / "browser" / "vendor"


@pytest.mark.parametrize("directory", [VENDOR, BROWSER_VENDOR])
def test_vendored_files_are_pinned_and_licensed(directory: Path) -> None:
    pinned = json.loads((directory / "versions.json").read_text())
    for name, entry in pinned.items():
        assert sha256((directory / name).read_bytes()).hexdigest() == entry["sha256"], name
        assert all(entry[field] for field in ("package", "version", "path", "licence"))
        assert len((directory / entry["licence_file"]).read_text()) > 300
    scripts = {path.name for path in directory.iterdir() if path.suffix in {".js", ".css"}}
    assert scripts == set(pinned), "every vendored file has an entry"


def test_every_file_that_is_served_is_there_and_none_is_left_out() -> None:
    there = {path.name for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".svg"}}
    assert set(ASSETS) == there


def test_pages_load_little() -> None:
    assert sum(asset.path.stat().st_size for asset in ASSETS.values()) < 120_000

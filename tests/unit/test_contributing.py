"""The places that CONTRIBUTING.md sends contributors to exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_THE_ROOT = ("benchmarks/", "docs/", "migrations/", "specs/", "tests/")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Twelve changes")[2]
SECTIONS = re.findall(r"^### (.+)\n((?:(?!^### ).*\n)*)", GUIDE, re.MULTILINE)
NAMED = [
    (title, path) for title, text in SECTIONS for path in re.findall(r"`([\w./]*(?:/|\.(?:py|css|html|md)))`", text)
]


def test_there_are_twelve() -> None:
    assert len(SECTIONS) == 12


@pytest.mark.parametrize(("title", "path"), [(title, path) for title, path in NAMED if "NNNN" not in path])
def test_place_exists(title: str, path: str) -> None:
    """A file without its folder is beside one that was named before it."""
    start = ROOT if path.startswith(AT_THE_ROOT) else ROOT / "src" / "ketline"
    beside = {named.rpartition("/")[0] for other, named in NAMED if other == title} if "/" not in path else set()
    candidates = [start / path, ROOT / path, *(root / folder / path for folder in beside for root in (ROOT, start))]
    assert any(candidate.exists() for candidate in candidates)

"""The files and names that CONTRIBUTING.md sends contributors to exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_THE_ROOT = ("benchmarks/", "docs/", "migrations/", "specs/", "tests/")
# What contributors name themselves: NAME, and the number of a migration.
OWN_NAME = re.compile("NAME|NNNN")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Fourteen changes")[2]
SECTIONS = dict(re.findall(r"^### (.+)\n((?:(?!^### ).*\n)*)", GUIDE, re.MULTILINE))


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Every word of the source, the tests, the benchmarks and the migrations."""
    folders = (ROOT / folder for folder in ("src/ketline", "tests", "benchmarks", "migrations"))
    texts = (path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    return {word for text in texts for word in re.findall(r"\w+", text)}


def _exists(path: str, folders: set[str]) -> bool:
    """A file without its folder is beside one that the section names with it."""
    start = ROOT if path.startswith(AT_THE_ROOT) else ROOT / "src" / "ketline"
    beside = (root / folder / path for folder in folders for root in (ROOT, ROOT / "src" / "ketline"))
    return any(candidate.exists() for candidate in (start / path, ROOT / path, *beside))


def test_there_are_fourteen() -> None:
    assert len(SECTIONS) == 14


@pytest.mark.parametrize("title", SECTIONS)
def test_places_of_a_change_exist(title: str, words: set[str]) -> None:
    paths = re.findall(r"`([\w./]*(?:/|\.(?:py|css|html|md)))`", SECTIONS[title])
    folders = {path.rpartition("/")[0] for path in paths if "/" in path}
    assert paths
    assert not [path for path in paths if not OWN_NAME.search(path) and not _exists(path, folders)]
    names = re.findall(r"`([A-Za-z_]\w+)`", SECTIONS[title])
    assert not [name for name in names if not OWN_NAME.search(name) and name not in words]

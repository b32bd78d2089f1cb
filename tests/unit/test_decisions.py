"""Decision records: one format, a status each, and all of them in the index."""

import re
from pathlib import Path

import pytest

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))
INDEX = (DECISIONS / "README.md").read_text(encoding="utf-8")
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "References"]
STATUS = re.compile(r"Status: (accepted|superseded by (\d+))")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_record_has_title_status_and_sections(path: Path) -> None:
    title, _, status, *_ = path.read_text(encoding="utf-8").splitlines()
    assert title.startswith(f"# {int(path.name[:4])}. ")
    found = STATUS.fullmatch(status)
    assert found
    assert found[2] is None or any(DECISIONS.glob(f"{int(found[2]):04}-*.md"))
    assert re.findall(r"^## (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE) == SECTIONS


def test_index_lists_every_record_with_its_title_and_status() -> None:
    rows = []
    for path in RECORDS:
        title, _, status, *_ = path.read_text(encoding="utf-8").splitlines()
        number, _, name = title.removeprefix("# ").partition(". ")
        rows.append(f"| {number} | [{name}]({path.name}) | {status.removeprefix('Status: ')} |")
    assert [line for line in INDEX.splitlines() if re.match(r"\| \d", line)] == rows

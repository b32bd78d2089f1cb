"""Each feature that docs/compatibility.md claims has a test, and that test exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
FEATURES = PAGE.partition("## Features")[2].partition("\n## ")[0]
ROWS = [
    row
    for line in FEATURES.splitlines()
    if line.startswith("|") and (row := [cell.strip() for cell in line.strip("|").split("|")]) != ["feature", "test"]
    if not row[0].startswith("---")
]


def test_features_were_found() -> None:
    assert len(ROWS) > 20
    assert all(len(row) == 2 for row in ROWS)


@pytest.mark.parametrize(("feature", "tests"), ROWS, ids=range(len(ROWS)))
def test_each_feature_names_tests_that_exist(feature: str, tests: str) -> None:
    named = re.findall(r"`([^`]+)`", tests)
    assert named, feature
    for path, _, function in (name.partition("::") for name in named):
        source = (ROOT / path).read_text(encoding="utf-8")
        assert path.startswith("tests/")
        assert re.search(rf"^(async )?def {function or 'test_[a-z]'}", source, re.MULTILINE), (path, function)

"""The list of guards is about the present source: each can be taken out, and what must object exists."""

from pathlib import Path

import pytest

from benchmarks.guards.catalogue import GUARDS
from benchmarks.guards.guard import Guard

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_guard_can_still_be_taken_out(guard: Guard) -> None:
    without = guard.removed_from((ROOT / guard.path).read_text())
    compile(without, str(guard.path), "exec")


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_tests_of_a_guard_exist(guard: Guard) -> None:
    assert guard.tests
    for test in guard.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), test


def test_names_are_unique() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)

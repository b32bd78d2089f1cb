"""The list of guards is about the present source: each is marked and can be removed, and its tests exist."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.guards.catalogue import GUARDS
from tests.guards.guard import SOURCE, Guard
from tests.guards.listing import listed
from tests.guards.markers import NoLongerApplies, markers
from tests.guards.removals import AfterImports, Call, Drop, Loop, Removal, Replace, Widen

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def marked() -> Mapping[str, Path]:
    return markers(ROOT / SOURCE)


def test_every_marker_has_a_row_and_every_row_a_marker(marked: Mapping[str, Path]) -> None:
    assert sorted(marked) == sorted(guard.name for guard in GUARDS)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_guard_can_be_removed(guard: Guard, marked: Mapping[str, Path]) -> None:
    source = marked[guard.name].read_text()
    without = ast.parse(guard.removed_from(source))
    assert ast.dump(without) != ast.dump(ast.parse(source))


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_tests_of_a_guard_exist(guard: Guard) -> None:
    assert guard.tests
    for test in guard.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), test


def test_names_are_unique() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)


def test_page_lists_the_guards() -> None:
    assert listed(GUARDS) in (ROOT / "docs/guards.md").read_text(), "run `python -m tests.guards --list`"


@pytest.mark.parametrize(
    ("removal", "source", "without"),
    [
        (Drop(), "a()\nb()  # guard: g", "a()\npass"),
        (Drop(), "a()\n# why\n# guard: other, g\nb(\n    c\n)", "a()\npass"),
        (Drop(), "if a:  # guard: g\n    b()", "pass"),
        (Drop(), "f(\n    a,\n    b,  # guard: g\n)", "f(a)"),
        (Drop(), "f(\n    a,\n    # guard: g\n    b=1,\n)", "f(a)"),
        (Drop(), "x = (\n    a\n    or b  # guard: g\n    or c\n)", "x = a or c"),
        (Drop(), "x = {\n    'a': 1,\n    'b': 2,  # guard: g\n}", "x = {'a': 1}"),
        (Drop(), "with (\n    a,\n    b,  # guard: g\n):\n    c", "with a:\n    c"),
        (Drop(), "x = (\n    select(a)\n    .where(b)  # guard: g\n    .limit(1)\n)", "x = select(a).limit(1)"),
        (Drop("where"), "x = select(a).where(b)  # guard: g", "x = select(a)"),
        (Drop("b"), "f(a, b=1)  # guard: g", "f(a)"),
        (Drop("b"), "f(a, self.b)  # guard: g", "f(a)"),
        (Drop("b"), "x = {'a': 1, 'b': 2}  # guard: g", "x = {'a': 1}"),
        (Replace("False"), "if a:  # guard: g\n    b()", "if False:\n    b()"),
        (Replace("None"), "x = a(b)  # guard: g", "x = None"),
        (Replace("raise"), "x = a(b)  # guard: g", "raise"),
        (Replace("1"), "f(\n    a=0,  # guard: g\n)", "f(a=1)"),
        (Replace("1", part="a"), "f(a=0, b=0)  # guard: g", "f(a=1, b=0)"),
        (Replace("None", part="timeout"), "with timeout(a + b):  # guard: g\n    c", "with timeout(None):\n    c"),
        (Replace("x=1"), "f(\n    y\n    .values(a)  # guard: g\n)", "f(y.values(x=1))"),
        (Loop(), "if a:  # guard: g\n    b()", "while a:\n    b()"),
        (Call("read", instead_of="write"), "db.write(a)  # guard: g", "db.read(a)"),
        (
            AfterImports(),
            "def f():\n    a()  # guard: g\n    import b\n    a()  # guard: g\n    import c\n    d()",
            "def f():\n    import b\n    import c\n    a()\n    d()",
        ),
    ],
)
def test_removal_of_what_is_marked(removal: Removal, source: str, without: str) -> None:
    assert Guard("g", "…", removal, ()).removed_from(source) == without + "\n"


def test_widened_condition_keeps_its_parameters() -> None:
    without = Guard("g", "…", Widen("b"), ()).removed_from("x.where(\n    a,  # guard: g\n)")
    assert without == "x.where(__import__('sqlalchemy').or_(a, b))\n"


@pytest.mark.parametrize("source", ["a()", "a()\n# guard: g\n", "if a:  # guard: other\n    b()"])
def test_guard_that_is_not_marked_is_not_removed(source: str) -> None:
    with pytest.raises(NoLongerApplies):
        Guard("g", "…", Drop(), ()).removed_from(source)

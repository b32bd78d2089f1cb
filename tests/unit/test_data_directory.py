"""The directory of the embedded service's database, whichever command makes it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ketline.runtime.data_directory import database_in, sole_owner


def lock(directory: Path) -> None:
    with sole_owner(directory):
        pass


@pytest.mark.parametrize("make", [database_in, lock])
def test_new_directory_is_only_for_its_user_and_another_is_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    new, there = tmp_path / "parent" / "new", tmp_path / "there"
    there.mkdir(mode=0o750)
    make(new)
    make(there)
    assert [one.stat().st_mode & 0o777 for one in (new, there)] == [0o700, 0o750]

"""Cases of a test of which only the first always run, and the numbers of a block of random programs."""

from collections.abc import Iterable
from typing import Any

import pytest


def long_after(first: int, cases: Iterable[Any]) -> list[Any]:
    """Parameters for `parametrize`: the first cases as they are, and the others, which may be tuples, marked `long`."""
    return [case if number < first else _long(case) for number, case in enumerate(cases)]


def numbers(block: int, size: int) -> range:
    """The numbers of a block, from which its programs are made: block 0 has the first `size` numbers."""
    return range(block * size, (block + 1) * size)


def _long(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long)

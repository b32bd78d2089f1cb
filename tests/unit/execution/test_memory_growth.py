"""A process knows when it holds much more memory than at first."""

from collections.abc import Iterator

import pytest

from ketline.execution.child.memory_growth import MemoryGrowth

LIMIT_BYTES = 64 << 20


@pytest.fixture
def growth() -> Iterator[MemoryGrowth]:
    with MemoryGrowth(LIMIT_BYTES) as growth:
        yield growth


def test_memory_that_is_held_counts_until_it_is_freed(growth: MemoryGrowth) -> None:
    assert not growth.exceeded()
    held = bytearray(2 * LIMIT_BYTES)
    assert growth.exceeded()
    del held
    assert not growth.exceeded()


def test_memory_in_a_cycle_is_freed_before_it_counts(growth: MemoryGrowth) -> None:
    cycle: list[object] = [bytearray(2 * LIMIT_BYTES)]
    cycle.append(cycle)
    del cycle
    assert not growth.exceeded()

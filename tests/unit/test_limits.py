"""How the machine is divided between small programs and a large one."""

import pytest

from ketline.config import available_cores, load_settings
from ketline.execution.parent.machine import memory_bytes
from ketline.runtime.limits import MIN_SMALL_PROGRAM_BYTES, SIMULATOR_MEMORY_SHARE, execution_limits

MEBIBYTE = 1 << 20


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_all_slots_and_a_large_program_fit_into_the_machines_share(slots: int) -> None:
    limits = execution_limits(load_settings(worker_slots=slots))
    others = (slots - 1) * limits.share_bytes
    assert limits.memory_bytes + others <= SIMULATOR_MEMORY_SHARE * memory_bytes()
    assert limits.memory_bytes > SIMULATOR_MEMORY_SHARE * memory_bytes() / 4 * 3


def test_large_program_has_all_cores_and_a_small_one_its_slots() -> None:
    cores = available_cores()
    limits = execution_limits(load_settings(worker_slots=cores))
    assert (limits.threads, limits.share_threads) == (cores, 1)
    assert execution_limits(load_settings(worker_slots=1)).share_threads == cores


def test_many_slots_leave_something_to_each_and_to_a_large_program() -> None:
    limits = execution_limits(load_settings(worker_slots=256))
    assert limits.share_bytes >= MIN_SMALL_PROGRAM_BYTES
    assert limits.memory_bytes >= limits.share_bytes


def test_memory_that_is_set_bounds_every_program() -> None:
    limits = execution_limits(load_settings(simulator_memory_mb=64, worker_slots=2))
    assert (limits.memory_bytes, limits.share_bytes) == (64 * MEBIBYTE, 64 * MEBIBYTE)


def test_threads_that_are_set_bound_every_program() -> None:
    limits = execution_limits(load_settings(simulator_threads=1, worker_slots=1))
    assert (limits.threads, limits.share_threads) == (1, 1)

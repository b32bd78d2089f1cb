"""The alarm that bounds reading a program."""

import time
from contextlib import suppress

import pytest

from ketline.execution.child.soft_time_limit import SoftTimeLimit, soft_time_limit


def test_block_within_its_limit_ends_as_it_would_without() -> None:
    with soft_time_limit(60):
        pass
    with pytest.raises(KeyError), soft_time_limit(60):
        raise KeyError


def test_block_is_interrupted() -> None:
    with pytest.raises(SoftTimeLimit), soft_time_limit(1e-3):
        time.sleep(60)


def test_limit_that_was_lost_in_a_callback_is_raised_at_the_end() -> None:
    with pytest.raises(SoftTimeLimit), soft_time_limit(1e-3), suppress(SoftTimeLimit):
        time.sleep(60)

"""The distance between counts sees wrong distributions, and its bound lets right ones pass."""

import math
from collections import Counter
from random import Random

import pytest

from benchmarks.execution.distance import bound, distance


def drawn(seed: int, width: int, shots: int, ones: float = 0.5) -> Counter[str]:
    """Shots of independent bits, each 1 with the same probability."""
    random = Random(seed)
    return Counter("".join("01"[random.random() < ones] for _ in range(width)) for _ in range(shots))


def test_narrow_outcomes_are_compared_one_by_one() -> None:
    assert math.isclose(distance({"00": 50, "11": 50}, {"00": 30, "11": 60, "01": 10}), 0.2)


def test_samples_of_different_sizes_are_compared_by_their_shares() -> None:
    assert distance({"0": 5, "1": 15}, {"0": 50, "1": 150}) == 0


def test_blanks_between_registers_do_not_count() -> None:
    assert distance({"0 1": 4}, {"01": 4}) == 0


@pytest.mark.parametrize("width", [1, 2, 6, 7, 20, 64])
def test_equal_distributions_are_within_the_bound(width: int) -> None:
    one, other = drawn(1, width, 4000), drawn(2, width, 3000)
    assert distance(one, other) < bound(width, 4000, 3000)


@pytest.mark.parametrize("width", [1, 6, 20])
def test_biased_bits_are_outside_of_the_bound(width: int) -> None:
    assert distance(drawn(1, width, 4000), drawn(2, width, 4000, ones=0.75)) > bound(width, 4000, 4000)


def test_one_wrong_bit_among_many_is_outside_of_the_bound() -> None:
    right = drawn(1, 20, 4000)
    wrong = Counter({"0" + key[1:]: 0 for key in right})
    for key, count in drawn(2, 20, 4000).items():
        wrong["0" + key[1:]] += count
    assert distance(right, wrong) > bound(20, 4000, 4000)


def test_correlation_of_distant_bits_is_outside_of_the_bound() -> None:
    entangled = {"0" * 20: 2000, "1" * 20: 2000}
    halves = {first * 10 + last * 10: 1000 for first in "01" for last in "01"}
    assert distance(entangled, halves) > bound(20, 4000, 4000)


def test_bound_shrinks_with_more_shots() -> None:
    assert bound(6, 100, 100) > bound(6, 10_000, 100) > bound(6, 10_000, 10_000)

"""The reference agrees with theory, and its test of counts has teeth."""

import math
import random
from collections import Counter

import pytest

from tests.reference import EXAMPLES, EXPECTED, assert_counts_match


def test_every_example_has_a_reference() -> None:
    assert set(EXPECTED) == {path.name for path in EXAMPLES.glob("*.qasm")}


def test_grover_matches_its_formula() -> None:
    assert EXPECTED["grover.qasm"]["101"] == pytest.approx(math.sin(5 * math.asin(math.sqrt(1 / 8))) ** 2)


def test_qft_finds_the_period() -> None:
    assert EXPECTED["qft.qasm"] == pytest.approx({"0000": 0.25, "0100": 0.25, "1000": 0.25, "1100": 0.25})


@pytest.mark.parametrize("probabilities", EXPECTED.values(), ids=EXPECTED.keys())
def test_a_right_sample_passes(probabilities: dict[str, float]) -> None:
    drawn = random.Random(7).choices(list(probabilities), list(probabilities.values()), k=4096)
    assert_counts_match(Counter(drawn), probabilities, 4096)


@pytest.mark.parametrize(
    "counts",
    [{"00": 700, "11": 324}, {"00": 512, "11": 511, "01": 1}, {"00": 1024}, {"00": 512, "11": 500}],
    ids=["skewed", "impossible outcome", "one outcome missing", "shots missing"],
)
def test_a_wrong_sample_fails(counts: dict[str, int]) -> None:
    with pytest.raises(AssertionError):
        assert_counts_match(counts, {"00": 0.5, "11": 0.5}, 1024)

import pytest

from ketline.web.corrected_counts import corrected_counts
from ketline.web.histogram import MAX_LABEL_CHARACTERS, SHOWN, BarOrder, histogram, probability_histogram

COUNTS = {"00": 5, "01": 1, "10": 3, "11": 1}


def test_largest_first_and_equal_ones_by_bits() -> None:
    shown = histogram(COUNTS, BarOrder.VALUE)
    assert [(bar.outcome, bar.count) for bar in shown.bars] == [("00", 5), ("10", 3), ("01", 1), ("11", 1)]
    assert (shown.shots, shown.outcomes, shown.other) == (10, 4, None)
    assert [bar.share for bar in shown.bars] == [0.5, 0.3, 0.1, 0.1]
    assert [bar.length for bar in shown.bars] == [1.0, 0.6, 0.2, 0.2]


def test_by_bitstring_they_are_the_same_in_another_order() -> None:
    assert [bar.outcome for bar in histogram(COUNTS, BarOrder.BITSTRING).bars] == ["00", "01", "10", "11"]


@pytest.mark.parametrize("order", BarOrder)
def test_what_is_not_among_the_most_frequent_is_summed_up(order: BarOrder) -> None:
    counts = {f"{number:012b}": 1 + (number == 4095) * 99 for number in range(4096)}
    shown = histogram(counts, order)
    assert len(shown.bars) == SHOWN
    assert ("1" * 12, 100) in [(bar.outcome, bar.count) for bar in shown.bars]
    assert shown.other is not None
    assert (shown.other.count, shown.other_outcomes) == (4096 - SHOWN, 4096 - SHOWN)
    assert sum(bar.count for bar in shown.rows) == shown.shots == 4195
    assert max(bar.length for bar in shown.bars) == 1.0
    assert shown.other.outcome == "4,064 others"


def test_long_outcomes_have_short_labels() -> None:
    [bar] = histogram({"0" * 50 + "1" * 50: 7}, BarOrder.VALUE).bars
    assert len(bar.label) == MAX_LABEL_CHARACTERS
    assert bar.label == "0000000…111111"


def test_no_counts_at_all_are_no_bars() -> None:
    shown = histogram({}, BarOrder.VALUE)
    assert (list(shown.rows), shown.shots) == ([], 0)


def test_probabilities_have_bars_and_a_quasi_probability_each() -> None:
    quasi = {f"{number:06b}": (2.0 if number == 7 else -1 / 63) for number in range(64)}
    nearest = {outcome: max(value, 0.0) / 2 for outcome, value in quasi.items()}
    shown = probability_histogram(nearest, BarOrder.VALUE)
    assert (shown.shots, shown.bars[0].outcome, shown.bars[0].value) == (None, "000111", "1.0000")
    rows = list(
        corrected_counts({"probabilities": nearest, "quasi_probabilities": quasi, "overhead": 4}, shown.order).rows
    )
    assert (len(rows), rows[0][1]) == (SHOWN + 1, 2.0)
    assert rows[-1][0].outcome == "32 others"
    assert sum(value for _, value in rows) == pytest.approx(1)

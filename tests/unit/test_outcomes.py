from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ketline.domain.results.outcomes import (
    KeyFormat,
    bits_of,
    format_view,
    merged,
    most_frequent,
    register_count,
    register_view,
)

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@st.composite
def shots(draw: st.DrawFn) -> tuple[list[int], list[str]]:
    """Widths of registers, first declared first, and outcomes that show them."""
    widths = draw(shapes)
    outcomes = draw(st.lists(st.tuples(*(st.integers(0, 2**width - 1) for width in widths)), min_size=1, max_size=30))
    keys = [
        " ".join(f"{value:0{width}b}" for value, width in reversed(list(zip(outcome, widths, strict=True))))
        for outcome in outcomes
    ]
    return widths, keys


@given(shots(), st.data())
def test_register_view_is_the_register_alone(found: tuple[list[int], list[str]], data: st.DataObject) -> None:
    widths, keys = found
    number = data.draw(st.integers(0, len(widths) - 1))
    assert {register_count(key) for key in keys} == {len(widths)}
    expected: Counter[str] = Counter()
    for key in keys:
        whole = int(key.replace(" ", ""), 2)
        expected[f"{whole >> sum(widths[:number]) & (1 << widths[number]) - 1:0{widths[number]}b}"] += 1
    view = merged(Counter(keys), register_view(number))
    assert view == expected
    assert list(view) == sorted(view)


@given(shots())
def test_hexadecimal_keys_are_the_same_numbers(found: tuple[list[int], list[str]]) -> None:
    show = format_view(KeyFormat.HEX)
    for key in found[1]:
        assert int(show(key), 16) == int(key.replace(" ", ""), 2)
        assert show(key) == show(key).lower()
        assert format_view(KeyFormat.BINARY)(key) == key


@given(st.dictionaries(st.text("01", min_size=1, max_size=6), st.integers(1, 9)), st.integers(1, 20))
def test_most_frequent_are_the_largest_and_in_order(counts: dict[str, int], top: int) -> None:
    chosen = most_frequent(counts, top)
    assert len(chosen) == min(top, len(counts))
    ranks = [(-count, key) for key, count in chosen.items()]
    assert ranks == sorted(ranks)
    assert all((-count, key) > ranks[-1] for key, count in counts.items() if key not in chosen)


@given(shots())
def test_bits_are_those_of_the_keys_from_the_right(found: tuple[list[int], list[str]]) -> None:
    widths, keys = found
    data, width = bits_of(keys), sum(widths)
    assert len(data) == width * len(keys)
    for row, key in enumerate(keys):
        number = int(key.replace(" ", ""), 2)
        assert [number >> bit & 1 for bit in range(width)] == list(data[row * width : (row + 1) * width])

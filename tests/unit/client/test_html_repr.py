"""The HTML of tasks and results for notebooks."""

from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from ketline.client.decoding import read_task
from ketline.client.html_repr import MAX_BARS, MAX_ROWS, histogram_svg, task_html, values_table
from tests.unit.client.scripted import task

HOSTILE = '<script>alert(1)</script>"&'


def test_everything_from_outside_is_escaped() -> None:
    error = {"code": "parse_error", "message": HOSTILE}
    shown = read_task(task("failed", name=HOSTILE, error=error)).html(
        b"<svg onload='alert(1)'><script>x</script></svg>"
    )
    shown += task_html(title=HOSTILE, status=HOSTILE, problem=HOSTILE, points=[{HOSTILE: 3}])
    assert "<script" not in shown
    assert "onload" not in shown
    assert "&lt;script&gt;" in shown


def test_histogram_has_a_bar_for_each_outcome_in_order() -> None:
    picture = fromstring(histogram_svg({"11": 40, "00": 60}))
    labels = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert labels == ["60", "00", "40", "11"]
    heights = [float(bar.attrib["height"]) for bar in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert heights == [90.0, 60.0]


def test_histogram_of_many_outcomes_counts_the_others() -> None:
    shown = histogram_svg({f"{number:06b}": number + 1 for number in range(50)})
    assert shown.count("<rect") == MAX_BARS
    assert f"{50 - MAX_BARS} other outcomes" in shown


def test_result_has_html() -> None:
    found = read_task(task())
    assert found.result is not None
    assert "<svg" in found.result._repr_html_()
    assert "completed" in found._repr_html_()


@pytest.mark.parametrize(
    ("values", "rows"),
    [([1.0, -0.25], [["1", "-0.25"]]), ([[0.5, 1 / 3], [0.0, 1e-9]], [["0.5", "0.333333"], ["0", "1e-09"]])],
)
def test_expectation_values_are_shown_in_a_row_for_each_point(values: list[Any], rows: list[list[str]]) -> None:
    found = read_task(task(result={"expectation_values": values, "shots": 1, "success": True}))
    assert found.result is not None
    for shown in (found._repr_html_(), found.result._repr_html_()):
        table = fromstring(shown[shown.index("<table") : shown.index("</table>") + 8])
        assert [[cell.text for cell in row] for row in table] == rows


def test_estimates_are_shown_with_their_errors() -> None:
    shown = values_table([[0.5, -1.0], [0.25, 0.0]], [[0.0123, 0.0], [1e-3, 0.5]])
    table = fromstring(shown)
    assert [[cell.text for cell in row] for row in table] == [["0.5 ± 0.012", "-1 ± 0"], ["0.25 ± 0.001", "0 ± 0.5"]]


def test_table_of_many_values_counts_the_others() -> None:
    shown = values_table([[0.5] * (MAX_BARS + 3)] * (MAX_ROWS + 2))
    assert shown.count("0.5") == MAX_BARS * MAX_ROWS
    assert "and 3 more" in shown
    assert "and 2 more points" in shown

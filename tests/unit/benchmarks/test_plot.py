"""Line plots are well-formed, and their points are where the axes say."""

from xml.etree import ElementTree as ET

import pytest

from benchmarks.execution.plot import Scale, line_plot

SVG = "{http://www.w3.org/2000/svg}"


def test_decades_are_equally_far_apart() -> None:
    scale = Scale([2, 900], 100, 400)
    assert scale.decades() == [0, 1, 2, 3]
    assert [round(scale.at(10**decade), 6) for decade in scale.decades()] == [100, 200, 300, 400]


def test_values_of_one_decade_have_an_axis() -> None:
    scale = Scale([10], 0, 100)
    assert scale.at(10) == 0
    assert scale.at(100) == pytest.approx(100)


def test_values_below_one_have_decades() -> None:
    assert Scale([0.02, 0.5], 0, 1).decades() == [-2, -1, 0]


def test_plot_has_a_way_and_a_name_for_each_line() -> None:
    lines = {"service": [(1, 2.0), (100, 30.0)], "Aer <alone>": [(1, 5.0), (100, 50.0), (1000, 70.0)]}
    drawing = ET.fromstring(line_plot("Cost & time", "shots", "ms", lines))
    texts = [text.text for text in drawing.iter(f"{SVG}text")]
    assert {"Cost & time", "shots", "ms", "service", "Aer <alone>"} <= set(texts)
    assert len(list(drawing.iter(f"{SVG}circle"))) == 5


def test_larger_values_stand_higher_and_farther_right() -> None:
    drawing = ET.fromstring(line_plot("", "", "", {"line": [(1, 1.0), (10, 10.0)]}))
    first, last = drawing.iter(f"{SVG}circle")
    assert float(first.attrib["cx"]) < float(last.attrib["cx"])
    assert float(first.attrib["cy"]) > float(last.attrib["cy"])


def test_plot_is_readable_on_dark_pages() -> None:
    assert "prefers-color-scheme:dark" in line_plot("", "", "", {"line": [(1, 1.0), (2, 2.0)]})

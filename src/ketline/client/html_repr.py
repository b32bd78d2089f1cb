"""HTML of a task for notebooks, with a small histogram; all text from the service and its users is escaped.

Tasks and handles return it from `_repr_html_`.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from ketline.domain.results.observable import ExpectationValues

MAX_BARS = 16
MAX_POINTS = 4
MAX_ROWS = 16
_BAR, _GAP, _HEIGHT, _MARGIN = 26, 6, 90, 14
STATUS_COLOURS = {"completed": "#1a7f37", "failed": "#c62828", "cancelled": "#8a6d00", "processing": "#1565c0"}
_STYLE = "font: 13px/1.5 system-ui, sans-serif"
_PILL = "color: #fff; background: {}; border-radius: 9px; padding: 1px 9px"


def task_html(
    *,
    title: str,
    status: str,
    points: Sequence[Mapping[str, int]] = (),
    values: ExpectationValues | None = None,
    errors: ExpectationValues | None = None,
    problem: str = "",
    drawing: bytes | None = None,
) -> str:
    """Format a task's status, circuit (`drawing` is an SVG file), and counts or expectation values."""
    colour = STATUS_COLOURS.get(status, "#57606a")
    parts = [
        f'<div style="{_STYLE}"><b>{escape(title)}</b> <span style="{_PILL.format(colour)}">{escape(status)}</span>'
    ]
    if problem:
        parts.append(f'<pre style="color: #c62828">{escape(problem)}</pre>')
    if drawing is not None:
        parts.append(_image(drawing))
    if values is not None:
        return "".join([*parts, values_table(values, errors), "</div>"])
    parts += [f"<div>{histogram_svg(counts)}</div>" for counts in points[:MAX_POINTS]]
    if len(points) > MAX_POINTS:
        parts.append(f"<div>… and {len(points) - MAX_POINTS} more points</div>")
    return "".join([*parts, "</div>"])


def values_table(values: ExpectationValues, errors: ExpectationValues | None = None) -> str:
    """Format expectation values, with their standard errors, as a table with a row for each point of a sweep."""
    rows = _rows(values)
    errors_of = [[None] * len(row) for row in rows] if errors is None else _rows(errors)
    shown = "".join(
        f"<tr>{_cells(row, own)}</tr>" for row, own in zip(rows[:MAX_ROWS], errors_of[:MAX_ROWS], strict=True)
    )
    note = f"<div>… and {len(rows) - MAX_ROWS} more points</div>" if len(rows) > MAX_ROWS else ""
    return f'<table aria-label="Expectation values">{shown}</table>{note}'


def _rows(values: ExpectationValues) -> Sequence[Sequence[float]]:
    swept = [value for value in values if isinstance(value, Sequence)]
    return swept or [[value for value in values if not isinstance(value, Sequence)]]


def _cells(row: Sequence[float], errors: Sequence[float | None]) -> str:
    shown = [
        f"<td>{escape(f'{float(value):.6g}')}{'' if error is None else f' ± {float(error):.2g}'}</td>"
        for value, error in zip(row, errors, strict=True)
    ]
    more = [f"<td>… and {len(row) - MAX_BARS} more</td>"] if len(row) > MAX_BARS else []
    return "".join(shown[:MAX_BARS] + more)


def histogram_svg(counts: Mapping[str, int]) -> str:
    """Draw the counts of the most frequent outcomes as bars, in the order of their keys."""
    shown = sorted(sorted(counts, key=lambda key: (-counts[key], key))[:MAX_BARS])
    largest = max(counts.values(), default=0) or 1
    label = max((len(key) for key in shown), default=0) * 7
    width = len(shown) * (_BAR + _GAP) + _GAP
    bars = [_bar(position, key, counts[key], largest) for position, key in enumerate(shown)]
    hidden = len(counts) - len(shown)
    note = f"<div>… and {hidden} other outcomes</div>" if hidden else ""
    height = _HEIGHT + _MARGIN + label + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
        f'aria-label="Histogram of outcomes" font-family="monospace" font-size="11">{"".join(bars)}</svg>{note}'
    )


def _bar(position: int, key: str, count: int, largest: int) -> str:
    left = _GAP + position * (_BAR + _GAP)
    height = round(_HEIGHT * int(count) / largest, 1)
    middle, foot = left + _BAR / 2, _HEIGHT + _MARGIN
    return (
        f"<g><title>{escape(key)}: {int(count)}</title>"
        f'<rect x="{left}" y="{foot - height}" width="{_BAR}" height="{height}" fill="#4c78a8"/>'
        f'<text x="{middle}" y="{foot - height - 3}" text-anchor="middle" font-size="9">{int(count)}</text>'
        f'<text transform="translate({middle + 4},{foot + 6}) rotate(90)">{escape(key)}</text></g>'
    )


def _image(drawing: bytes) -> str:
    # As an image, an SVG cannot run scripts or load anything.
    return f'<div><img alt="Circuit" src="data:image/svg+xml;base64,{b64encode(drawing).decode()}"/></div>'

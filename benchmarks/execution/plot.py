"""Line plots as SVG, both axes logarithmic, for light and dark pages."""

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 40, 48
# Told apart without colours too: by their dashes. Source of the colours: M. Okabe and K. Ito, Color Universal Design.
_LINES = (("#0072b2", ""), ("#d55e00", "7 4"), ("#009e73", "2 3"), ("#cc79a7", "9 3 2 3"))
_STYLE = (
    "svg{background:#fff}text{font:12px sans-serif;fill:#24292f}.title{font-size:14px}"
    ".grid{stroke:#d0d7de;stroke-width:1}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}.grid{stroke:#30363d}}"
)

Points = Sequence[tuple[float, float]]


class Scale:
    """Where a value of an axis is: the decades that hold all values, from one end of the axis to the other."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._first = math.floor(math.log10(min(values)))
        self._last = max(self._first + 1, math.ceil(math.log10(max(values))))
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._first) / (self._last - self._first)
        return self._start + share * (self._end - self._start)

    def decades(self) -> list[int]:
        return list(range(self._first, self._last + 1))


def line_plot(title: str, across: str, up: str, lines: Mapping[str, Points]) -> str:
    """A drawing of lines by name; all values are to be above 0."""
    points = [point for line in lines.values() for point in line]
    x = Scale([point[0] for point in points], _LEFT, _WIDTH - _RIGHT)
    y = Scale([point[1] for point in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        *_axes(x, y),
        _text(_WIDTH / 2, 18, title, "middle", "title"),
        _text(_WIDTH / 2, _HEIGHT - 10, across, "middle"),
        f'<g transform="translate(16 {_HEIGHT / 2}) rotate(-90)">{_text(0, 0, up, "middle")}</g>',
    ]
    for number, (name, line) in enumerate(lines.items()):
        parts += _line(number, name, [(x.at(across), y.at(up)) for across, up in line])
    return "\n".join([*parts, "</svg>", ""])


def _axes(x: Scale, y: Scale) -> list[str]:
    parts = []
    for decade in x.decades():
        at = x.at(10.0**decade)
        parts.append(f'<path class="grid" d="M{at:.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        parts.append(_text(at, _HEIGHT - _BOTTOM + 16, _power(decade), "middle"))
    for decade in y.decades():
        at = y.at(10.0**decade)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 6, at + 4, _power(decade), "end"))
    return parts


def _line(number: int, name: str, places: Points) -> list[str]:
    colour, dashes = _LINES[number % len(_LINES)]
    pen = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
    way = "M" + "L".join(f"{across:.1f} {up:.1f}" for across, up in places)
    row = _TOP + 16 + 18 * number
    return [
        f'<path {pen} d="{way}"/>',
        *(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="2.5" fill="{colour}"/>' for across, up in places),
        f'<path {pen} d="M{_LEFT + 12} {row - 4}h28"/>',
        _text(_LEFT + 46, row, name, "start"),
    ]


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _power(decade: int) -> str:
    return f"{10**decade:,}" if 0 <= decade <= 3 else f"10^{decade}" if decade > 0 else f"{10.0**decade:g}"

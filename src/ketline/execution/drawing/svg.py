"""Writes a layout as SVG: small, readable by screen readers, and suited to light and dark pages."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import accumulate

from ketline.execution.drawing.layout import Frame, Layout, Mark, Symbol

_ROW = 44.0
_MARGIN = 14.0
_BOX = 30.0
_GAP = 12.0
_LABEL_CHARACTER, _NOTE_CHARACTER = 7.9, 5.9
_FRAME_STEP = 3.0
_MAX_NAME_CHARACTERS = 24

_STYLE = (
    "svg{background:#fff;color:#1d2430;font:13px ui-monospace,Menlo,Consolas,monospace}"
    "text{fill:currentColor;text-anchor:middle;dominant-baseline:central}.n{font-size:10px}.w{text-anchor:end}"
    ".f{text-anchor:start;font-size:10px}"
    "path,rect,circle{fill:none;stroke:currentColor}.k{fill:currentColor}.b{fill:#dbe7ff}.m{fill:#e8e8ec}"
    ".t{fill:#fff}.d{stroke-dasharray:4 3;stroke-opacity:.6}"
    "@media(prefers-color-scheme:dark){svg{background:#14181f;color:#e6e9ef}.b{fill:#27406e}.m{fill:#363d49}"
    ".t{fill:#14181f}}"
)


def render(layout: Layout) -> str:
    """The layout as an SVG document."""
    return _Page(layout).text()


class _Page:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        names = [_shortened(name) for name in (*layout.qubits, *layout.registers)]
        self._names = names
        self._left = _MARGIN + max(map(len, names), default=0) * _LABEL_CHARACTER + _GAP
        widths = _widths(layout)
        self._starts = list(accumulate(widths, initial=self._left))
        self._centres = [start + width / 2 for start, width in zip(self._starts, widths, strict=False)]
        self._rows = len(names)

    def text(self) -> str:
        width, height = self._starts[-1] + _MARGIN, max(1, self._rows) * _ROW + 2 * _MARGIN
        qubits, operations = len(self._layout.qubits), len(self._layout.marks)
        title = f"Circuit of {qubits} qubits in {operations} steps"
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{title}">',
            f"<title>{title}</title><style>{_STYLE}</style>",
            *self._wires(),
            *(part for frame in self._layout.frames for part in self._frame(frame)),
            *(part for mark in self._layout.marks for part in self._mark(mark)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _wires(self) -> Iterator[str]:
        end = self._starts[-1]
        for row, name in enumerate(self._names):
            y = self._y(row)
            yield _text(self._left - _GAP / 2, y, name, "w")
            # A register of bits is a double line.
            for line in (y,) if row < len(self._layout.qubits) else (y - 1.5, y + 1.5):
                yield f'<path d="M{self._left:.1f} {line:.1f}H{end:.1f}"/>'

    def _frame(self, frame: Frame) -> Iterator[str]:
        inset = _FRAME_STEP * frame.depth
        x, y = self._starts[frame.first] + inset, self._y(frame.top) - _ROW / 2 + 2 + inset
        width, height = self._starts[frame.last + 1] - x - inset, (frame.bottom - frame.top + 1) * _ROW - 4 - 2 * inset
        yield f'<rect class="d" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4"/>'
        yield _text(x + 3, y + 6, frame.label, "f")

    def _mark(self, mark: Mark) -> Iterator[str]:
        x = self._centres[mark.column]
        if mark.symbol is Symbol.BARRIER:
            top, bottom = self._y(min(mark.rows)) - _ROW / 2, self._y(max(mark.rows)) + _ROW / 2
            yield f'<path class="d" d="M{x:.1f} {top:.1f}V{bottom:.1f}"/>'
            if mark.label:
                yield _text(x + 3, top + 8, mark.label, "f")
            return
        yield from self._links(mark, x)
        for row in mark.controls:
            yield f'<circle class="k" cx="{x:.1f}" cy="{self._y(row):.1f}" r="4"/>'
        match mark.symbol:
            case Symbol.BOX:
                yield from self._box(mark, x)
            case Symbol.MEASURE:
                yield from self._measurement(mark, x)
            case _:
                yield from self._points(mark, x)

    def _links(self, mark: Mark, x: float) -> Iterator[str]:
        """The line between the rows of one operation, and the double line to the bits that a measurement writes."""
        rows = [self._y(row) for row in (*mark.rows, *mark.controls)]
        if len(rows) > 1:
            yield f'<path d="M{x:.1f} {min(rows):.1f}V{max(rows):.1f}"/>'
        if mark.bit_row is not None:
            end = self._y(mark.bit_row)
            yield f'<path d="M{x - 1.5:.1f} {rows[0]:.1f}V{end - 7:.1f}M{x + 1.5:.1f} {rows[0]:.1f}V{end - 7:.1f}"/>'
            yield f'<path class="k" d="M{x - 4:.1f} {end - 8:.1f}h8l-4 7z"/>'

    def _box(self, mark: Mark, x: float) -> Iterator[str]:
        width = _box_width(mark)
        top, bottom = self._y(min(mark.rows)) - _BOX / 2, self._y(max(mark.rows)) + _BOX / 2
        yield _rectangle("b", x - width / 2, top, width, bottom - top)
        middle = (top + bottom) / 2
        yield _text(x, middle - 5 if mark.note else middle, mark.label)
        if mark.note:
            yield _text(x, middle + 8, mark.note, "n")
        if len(mark.rows) > 1:
            for number, row in enumerate(mark.rows):
                yield _text(x - width / 2 + 6, self._y(row) - 9, str(number), "n")

    def _measurement(self, mark: Mark, x: float) -> Iterator[str]:
        y = self._y(mark.rows[0])
        yield _rectangle("m", x - _BOX / 2, y - _BOX / 2, _BOX, _BOX)
        yield f'<path d="M{x - 9:.1f} {y + 6:.1f}a9 9 0 0 1 18 0M{x:.1f} {y + 6:.1f}l7 -12"/>'
        assert mark.bit_row is not None
        yield _text(x, self._y(mark.bit_row) + 11, mark.note, "n")

    def _points(self, mark: Mark, x: float) -> Iterator[str]:
        for row in mark.rows:
            y = self._y(row)
            match mark.symbol:
                case Symbol.DOT:
                    yield f'<circle class="k" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
                case Symbol.TARGET:
                    yield f'<circle class="t" cx="{x:.1f}" cy="{y:.1f}" r="10"/>'
                    yield f'<path d="M{x - 10:.1f} {y:.1f}h20M{x:.1f} {y - 10:.1f}v20"/>'
                case _:
                    yield f'<path d="M{x - 6:.1f} {y - 6:.1f}l12 12m0 -12l-12 12"/>'
        if mark.note:
            yield _text(x, self._y(max((*mark.rows, *mark.controls))) + 11, mark.note, "n")

    def _y(self, row: int) -> float:
        return _MARGIN + (row + 0.5) * _ROW


def _widths(layout: Layout) -> Sequence[float]:
    """The width of each column: that of its widest mark."""
    widths = [_GAP] * layout.columns
    for mark in layout.marks:
        widths[mark.column] = max(widths[mark.column], _mark_width(mark) + _GAP)
    for frame in layout.frames:
        needed = len(frame.label) * _NOTE_CHARACTER + _GAP
        widths[frame.first] = max(widths[frame.first], needed)
    return widths


def _mark_width(mark: Mark) -> float:
    if mark.symbol is Symbol.BOX:
        return _box_width(mark)
    return max(_BOX, max(len(mark.note), len(mark.label)) * _NOTE_CHARACTER)


def _box_width(mark: Mark) -> float:
    numbers = 2 * _NOTE_CHARACTER if len(mark.rows) > 1 else 0
    return max(_BOX, len(mark.label) * _LABEL_CHARACTER + 10, len(mark.note) * _NOTE_CHARACTER + 8) + numbers


def _rectangle(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3"/>'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text{f" class={kind!r}" if kind else ""} x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME_CHARACTERS else name[: _MAX_NAME_CHARACTERS - 1] + "…"

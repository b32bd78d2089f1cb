"""Print counts and failures for people, on a terminal or off it."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ketline.client import Failure, Result
from ketline.client.models import Counts

BAR_WIDTH = 32
MOST_ROWS = 32
_EIGHTHS = " ▏▎▍▌▋▊▉"


def show_counts(console: Console, result: Result) -> None:
    """A table of outcomes, the most frequent first, each with its share and a bar; one for each point of a sweep."""
    for number, counts in enumerate(result.points):
        if len(result.points) > 1:
            console.print(f"point {number}")
        _show_table(console, counts, result.shots)


def _show_table(console: Console, counts: Counts, shots: int) -> None:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    largest = ranked[0][1] if ranked else 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("outcome")
    table.add_column("counts", justify="right")
    table.add_column("share", justify="right")
    table.add_column("", no_wrap=True)
    for outcome, count in ranked[:MOST_ROWS]:
        table.add_row(outcome, str(count), f"{count / shots:.1%}", Text(_bar(count / largest), style="cyan"))
    console.print(table)
    if hidden := ranked[MOST_ROWS:]:
        rest = sum(count for _, count in hidden)
        console.print(f"… and {len(hidden)} other outcomes with {rest} counts; --json prints all of them.")


def show_failure(console: Console, failure: Failure, *, name: str, program: str) -> None:
    """What went wrong and, where it is known, the line of the program with a caret under the place."""
    place = ":".join([name, *(str(part) for part in (failure.line, failure.column) if part is not None)])
    console.print(Text(f"{place}: {failure.code}: {failure.message}"), soft_wrap=True)
    lines = program.splitlines()
    if failure.line is None or not 1 <= failure.line <= len(lines):
        return
    line = lines[failure.line - 1]
    console.print(Text(f"  {line.expandtabs(1)}"), soft_wrap=True)
    if failure.column is not None:
        console.print(Text(f"  {' ' * (failure.column - 1)}^"), soft_wrap=True)


def _bar(fraction: float) -> str:
    eighths = round(fraction * BAR_WIDTH * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()

"""Markdown tables."""

from collections.abc import Iterable, Sequence

from benchmarks.figures import Spread


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table under its title."""
    lines = [heads, ["---"] * len(heads), *rows]
    return f"### {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def milliseconds(spread: Spread) -> list[str]:
    """The cells of a spread."""
    return [f"{value:.2f}" for value in (spread.p50_ms, spread.p99_ms, spread.max_ms)]


def shares(values: Iterable[float]) -> str:
    """Shares of a whole as percentages, in one cell."""
    return ", ".join(f"{value:.0%}" for value in values)

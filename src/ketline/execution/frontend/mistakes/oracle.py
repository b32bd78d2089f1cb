"""Checks pieces of text with the grammar of the reference parser, for `syntax.py` and `rules.py`."""

from ketline.execution.frontend.grammar import offending

__all__ = ["is_program", "offending"]


def is_program(text: str) -> bool:
    return offending(text) is None

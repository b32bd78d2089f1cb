"""Asks the grammar of the reference parser whether a piece of text is what it should be."""

from ketline.execution.frontend.grammar import offending

__all__ = ["is_program", "offending"]


def is_program(text: str) -> bool:
    return offending(text) is None

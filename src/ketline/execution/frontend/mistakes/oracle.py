"""Checks pieces of text with the grammar of the reference parser."""

from ketline.execution.frontend.grammar import offending

__all__ = ["is_program", "offending"]


def is_program(text: str) -> bool:
    return offending(text) is None

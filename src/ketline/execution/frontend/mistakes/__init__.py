"""Finds all mistakes of a program that cannot run, each with its place and a message that helps to correct it."""

from ketline.execution.frontend.mistakes.finder import MAX_MISTAKES, find_mistakes, raise_first, with_error

__all__ = ["MAX_MISTAKES", "find_mistakes", "raise_first", "with_error"]

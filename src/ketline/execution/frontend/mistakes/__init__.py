"""Says what is wrong with a program that cannot run: every mistake at its place, in words that help to mend it."""

from ketline.execution.frontend.mistakes.finder import MOST_MISTAKES, find_mistakes, raise_first, with_error

__all__ = ["MOST_MISTAKES", "find_mistakes", "raise_first", "with_error"]

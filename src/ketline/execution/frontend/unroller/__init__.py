"""The third front end: interprets programs with classical values, and writes what depends on measurements."""

from ketline.execution.frontend.unroller.unroll import unroll

__all__ = ["unroll"]

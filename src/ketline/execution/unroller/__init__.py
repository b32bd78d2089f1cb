"""The third tier of reading: programs with classical values, unrolled."""

from ketline.execution.unroller.reading import unroll

__all__ = ["unroll"]

"""The third tier of reading: programs with classical values, unrolled."""

from ketline.execution.frontend.unroller.unroll import unroll

__all__ = ["unroll"]

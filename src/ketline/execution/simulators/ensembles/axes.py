"""Applies small matrices to some of the binary axes of many arrays at once. Used by `states.py`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any


def multiplied(arrays: Any, matrix: Any, positions: Sequence[int]) -> Any:
    """The arrays, complex128 of shape (rows, 2^m), after a matrix was applied to these bits of their indices.

    Bit j of an index of the matrix is the bit `positions[j]` of an index of an array, 0 the least significant.
    """
    rows, size = arrays.shape
    width, operands = size.bit_length() - 1, len(positions)
    # Bits that no operand separates stay one axis, so that few axes are transposed.
    bounds = sorted({0, width, *positions, *(position + 1 for position in positions)}, reverse=True)
    lengths = [1 << high - low for high, low in pairwise(bounds)]
    axis_of = {low: 1 + number for number, low in enumerate(bounds[1:])}
    front = [axis_of[position] for position in reversed(positions)]
    others = [axis for axis in range(len(lengths) + 1) if axis not in set(front)]
    tensor = arrays.reshape(rows, *lengths).transpose(front + others)
    product = matrix @ tensor.reshape(1 << operands, -1)
    order = front + others
    back = [order.index(axis) for axis in range(len(order))]
    return product.reshape([*(2,) * operands, *(tensor.shape[operands:])]).transpose(back).reshape(rows, size)

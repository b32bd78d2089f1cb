"""Overlaps of two states on few of their qubits, by numpy, from which a generator gives a derivative."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ketline.execution.simulators.gradients.generators import Generator


def transition(bra: Any, ket: Any, controls: Sequence[int], targets: Sequence[int]) -> Any:
    """The sum of bra[a, rest] * ket[b, rest] over the other qubits, where the controls are 1; `bra` is conjugated.

    The states are complex128 of shape (2^n,), the result of shape (2^m, 2^m) for m targets; bit j of a and b is the
    j-th target.
    """
    one, other = (_part(state, controls, targets) for state in (bra, ket))
    return one @ other.T


def slope_of(generator: Generator, overlap: Any) -> float:
    """The derivative of <state|O|state> by an angle; `overlap` is the `transition` from O|state> to the state."""
    return float(2 * np.real(np.sum(generator.matrix * overlap)))


def _part(state: Any, controls: Sequence[int], targets: Sequence[int]) -> Any:
    """The amplitudes where the controls are 1, as rows by the index of the targets."""
    descending = sorted([*controls, *targets], reverse=True)
    widths = np.diff([len(state).bit_length() - 1, *descending, -1]) * -1 - 1
    shape = [1 << int(widths[0])]
    for width in widths[1:]:
        shape += [2, 1 << int(width)]
    axes = {qubit: 1 + 2 * rank for rank, qubit in enumerate(descending)}
    chosen: list[Any] = [slice(None)] * len(shape)
    for control in controls:
        chosen[axes[control]] = slice(1, 2)
    view = state.reshape(shape)[tuple(chosen)]
    rows = [axes[target] for target in reversed(targets)]
    return np.moveaxis(view, rows, range(len(rows))).reshape(1 << len(targets), -1)

"""Gradients of expectation values with respect to the angles of a circuit.

`adjoint.py` computes them by one pass forward and one backward, `shift.py` by the parameter-shift rule; with noise and
from shots `named_shifts.py` does.
"""

from ketline.execution.simulators.gradients.choice import GradientChoice, choose_gradient
from ketline.execution.simulators.gradients.named_shifts import (
    Found,
    named_evaluations,
    named_shift_gradient,
    with_numbers,
)

__all__ = [
    "Found",
    "GradientChoice",
    "choose_gradient",
    "named_evaluations",
    "named_shift_gradient",
    "with_numbers",
]

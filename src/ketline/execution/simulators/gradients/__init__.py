"""Gradients of expectation values with respect to the angles of a circuit.

`adjoint.py` computes them by one pass forward and one backward, `shift.py` by the parameter-shift rule.
"""

from ketline.execution.simulators.gradients.choice import GradientChoice, choose_gradient

__all__ = ["GradientChoice", "choose_gradient"]

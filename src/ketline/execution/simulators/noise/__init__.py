"""The methods that simulate circuits with noise, and the choice between them."""

from ketline.execution.simulators.noise.choice import choose_with_noise, prepared
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors

__all__ = ["CircuitErrors", "choose_with_noise", "prepared"]

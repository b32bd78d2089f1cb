"""The methods that simulate circuits with noise, and the choice between them."""

from ketline.execution.simulators.noise.choice import choose_with_noise, prepared

__all__ = ["choose_with_noise", "prepared"]

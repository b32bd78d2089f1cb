"""Angles with derivatives, which parameters stand for in the circuit that the unroller writes."""

from typing import Any

from qiskit.circuit import Parameter

from ketline.execution.circuit.derivatives.dual import Dual


class TracedAngles:
    """`numbers` are the angles by the names of their parameters: definitions and controls make expressions of these."""

    def __init__(self) -> None:
        self.numbers: dict[str, Dual] = {}

    def traced(self, angle: Any) -> Any:
        """A parameter for an angle with derivatives; any other angle as it is."""
        if not isinstance(angle, Dual):
            return angle
        name = f"angle_{len(self.numbers)}"
        self.numbers[name] = angle
        return Parameter(name)

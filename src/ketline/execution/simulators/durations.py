"""Predicts how long a simulation takes: a time for each operation and each number that it touches.

Inspections report the prediction, and the slot for short programs bases its admission on it.

The model knows the state's size, the operations, the number of shots and the engines that may be used, and nothing of
the machine: how far it was off on one is in specs/validate.md.
"""

from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.methods import Choice

_LOOPS = frozenset({"for_loop", "while_loop"})


def simulating_seconds(lowered: Lowered, choice: Choice, shots: int, limits: ExecutionLimits) -> float | None:
    """An estimate for one core; None where the number of operations, or what one takes, cannot be known before.

    That is: loops that are left on a condition, and methods whose cost follows the entanglement.
    """
    return choice.method.seconds(lowered, shots, limits) if _LOOPS.isdisjoint(lowered.operations) else None

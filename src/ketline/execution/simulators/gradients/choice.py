"""Chooses how a gradient is computed, and says why."""

from typing import NamedTuple

from ketline.domain.circuits.method import Method
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.gradients import GradientMethod
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.derivatives.slopes import SlopedSteps
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.gradients.method import GradientOfState
from ketline.execution.simulators.gradients.shift import evaluations
from ketline.execution.simulators.methods import Choice

_METHODS = (Method.AUTOMATIC, Method.STATEVECTOR)
# Derivatives of all observables by all angles are held at once: 80 MB.
_MAX_DERIVATIVES = 10_000_000


class GradientChoice(NamedTuple):
    """The method with the number of simulations that it takes, and the same as a choice for the quota."""

    method: GradientOfState
    choice: Choice


def choose_gradient(
    lowered: Lowered, sloped: SlopedSteps, observables: int, options: RunOptions, limits: ExecutionLimits
) -> GradientChoice:
    """How to compute the derivatives of a number of observables by the open angles; nothing has been allocated.

    Raises:
        ProgramUnsupported: another simulation method is requested.
        ProgramTooLarge: the states do not fit into the memory, or there are too many derivatives.
    """
    if options.method not in _METHODS:
        raise ProgramUnsupported(f"method '{options.method}' computes no gradients; choose 'statevector', or none")
    if observables * len(sloped.angles) > _MAX_DERIVATIVES:
        raise ProgramTooLarge(
            f"{observables} observables and {len(sloped.angles)} angles that depend on inputs have more than "
            f"{_MAX_DERIVATIVES} derivatives: ask for fewer observables in one task"
        )
    assert options.gradient is not None
    requested = options.gradient.method
    runs = evaluations(sloped) if requested is GradientMethod.PARAMETER_SHIFT else 0
    method = GradientOfState(observables, len(sloped.angles), requested, runs)
    method.require(lowered, limits.memory_bytes)
    return GradientChoice(method, Choice(method, method.reason))

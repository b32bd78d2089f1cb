"""Derivatives of expectation values: which angles of a program they are of, and the form in which PennyLane takes them.

The service computes them beside the values (`gradient` of a task).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pennylane import math
from pennylane.exceptions import DeviceError
from pennylane.measurements import ExpectationMP
from pennylane.ops import Controlled

from ketline.client.convert.pennylane import GATES_WITH_ANGLES
from ketline.domain.limits import MAX_INPUTS
from ketline.pennylane.observables import sentence_of

# The place of an angle among those of the program, and the derivative of what is written there by the parameter.
Trained = tuple[int, float]


def differentiable(tape: Any) -> bool:
    """Whether the service can compute the derivatives of a prepared circuit by all parameters that require them."""
    if tape.shots or not all(map(_differentiable, tape.measurements)):
        return False
    wanted = [
        place is not None
        for place, value in zip(_places_of(tape), tape.get_parameters(trainable_only=False), strict=True)
        if math.requires_grad(value)
    ]
    return all(wanted) and len(wanted) <= MAX_INPUTS


def _differentiable(measurement: Any) -> bool:
    if not isinstance(measurement, ExpectationMP) or measurement.obs is None:
        return False
    return sentence_of(measurement.obs) is not None


def trained_of(tape: Any) -> Sequence[Trained]:
    """The angles of the trainable parameters of a prepared circuit, in order.

    Raises:
        DeviceError: a trainable parameter is no angle of the program.
    """
    places = _places_of(tape)
    found = [places[number] for number in tape.trainable_params]
    if None in found:
        raise DeviceError("A trainable parameter is no angle of a gate: use parameter-shift, or do not train it.")
    return [each for each in found if each is not None]


def _places_of(tape: Any) -> list[Trained | None]:
    """The angle of each parameter of a tape; None for a parameter that is no angle of the program."""
    places: list[Trained | None] = []
    written = 0
    for operation in tape.operations:
        factor = _factor_of(operation)
        for _ in operation.data:
            places.append(None if factor is None else (written, factor))
            written += factor is not None
    return [*places, *(None for measurement in tape.measurements if measurement.obs for _ in measurement.obs.data)]


def _factor_of(operation: Any) -> float | None:
    """By what the converter multiplies the angles of a gate; None if it has none."""
    if isinstance(operation, Controlled) and operation.name not in GATES_WITH_ANGLES:
        return _factor_of(operation.base)
    if operation.name not in GATES_WITH_ANGLES:
        return None
    return -1.0 if operation.name == "GlobalPhase" else 1.0


def jacobian_of(slopes: Sequence[Sequence[float]], trained: Sequence[Trained]) -> Any:
    """Derivatives as `compute_derivatives` returns them, from those by angle of each observable.

    Source: `adjoint_jacobian` of PennyLane 0.45 has the same form.
    """
    factors = np.array([factor for _, factor in trained])
    jacobian = np.squeeze(np.array(slopes).reshape(len(slopes), len(trained)) * factors)
    if jacobian.ndim == 0:
        return np.array(jacobian)
    if jacobian.ndim == 1:
        return tuple(map(np.array, jacobian))
    return tuple(tuple(map(np.array, row)) for row in jacobian)

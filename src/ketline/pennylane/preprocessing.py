"""The circuits that the device accepts, and how PennyLane prepares circuits for it."""

from typing import Any

import pennylane as qml
from pennylane import CompilePipeline, math
from pennylane.allocation import DynamicWire
from pennylane.devices.preprocess import (
    decompose,
    device_resolve_dynamic_wires,
    validate_device_wires,
    validate_measurements,
)
from pennylane.measurements import ExpectationMP, SampleMeasurement, StateMeasurement, VarianceMP
from pennylane.ops import Conditional, Controlled, MidMeasure
from pennylane.transforms import broadcast_expand, defer_measurements

from ketline.client.convert.pennylane import GATES_WITH_ANGLES, SMALL, WITHOUT_EFFECT
from ketline.client.convert.unitaries import MAX_QUBITS

DEFERRED = "deferred"
# The dimension of a parameter that is a matrix; an angle has none, or one of broadcast values.
_MATRIX = 2


def pipeline_of(name: str, wires: Any, mcm_method: Any) -> Any:
    """The transforms that prepare circuits for a device of this name with these wires.

    Raises, when it runs:
        DeviceError: an operation or a measurement is not supported.
        WireError: a circuit has wires that the device does not have.
    """
    deferred = mcm_method == DEFERRED
    pipeline = CompilePipeline()
    if deferred:
        pipeline.add_transform(defer_measurements, allow_postselect=False)
    if wires is None:
        pipeline.add_transform(_with_wires, name=name)
    pipeline.add_transform(
        decompose,
        stopping_condition=_without_measurements if deferred else accepted_operation,
        skip_initial_state_prep=False,
        device_wires=wires,
        target_gates=set(GATES_WITH_ANGLES) | {"MidMeasureMP"},
        name=name,
    )
    pipeline.add_transform(device_resolve_dynamic_wires, wires=wires, allow_resets=not deferred)
    pipeline.add_transform(validate_device_wires, wires, name=name)
    pipeline.add_transform(
        validate_measurements,
        analytic_measurements=accepted_exactly,
        sample_measurements=accepted_with_shots,
        name=name,
    )
    pipeline.add_transform(broadcast_expand)
    return pipeline


@qml.transform  # type: ignore[untyped-decorator]
def _with_wires(tape: Any, name: str) -> Any:
    """Name the wires of measurements of all wires, before gates are decomposed into others on fewer wires, or in
    another order of them.
    """
    if any(isinstance(wire, DynamicWire) for wire in tape.wires):
        return (tape,), lambda results: results[0]
    return validate_device_wires(tape, tape.wires, name=name)


def accepted_operation(operation: Any) -> bool:
    """Whether an operation is converted as it is: a gate whose angles the program has, or a small matrix."""
    if isinstance(operation, MidMeasure) or operation.name in GATES_WITH_ANGLES:
        return True
    if operation.name in (*WITHOUT_EFFECT, "Barrier"):
        return True
    if isinstance(operation, (Conditional, Controlled)):
        return accepted_operation(operation.base)
    angles = bool(operation.data) and all(math.ndim(value) < _MATRIX for value in operation.data)
    if operation.has_decomposition and (angles or len(operation.wires) > SMALL):
        return False
    return bool(operation.has_matrix) and len(operation.wires) <= MAX_QUBITS


def accepted_exactly(measurement: Any) -> bool:
    """Whether a measurement can be computed without shots."""
    observable = measurement.obs
    if not isinstance(measurement, StateMeasurement):
        return False
    if observable is None or observable.pauli_rep is not None:
        return True
    if isinstance(measurement, (ExpectationMP, VarianceMP)) and observable.has_matrix:
        return True
    return bool(observable.has_sparse_matrix if isinstance(measurement, ExpectationMP) else False) or bool(
        observable.has_diagonalizing_gates
    )


def accepted_with_shots(measurement: Any) -> bool:
    """Whether a measurement can be read from the outcomes of shots."""
    if not isinstance(measurement, SampleMeasurement):
        return False
    return measurement.obs is None or _sampled(measurement.obs)


def _sampled(observable: Any) -> bool:
    if observable.pauli_rep is not None:
        return True
    if isinstance(observable, qml.ops.CompositeOp):
        return all(map(_sampled, observable.operands))
    if isinstance(observable, qml.ops.SymbolicOp):
        return _sampled(observable.base)
    return bool(observable.has_diagonalizing_gates)


def _without_measurements(operation: Any) -> bool:
    return not isinstance(operation, MidMeasure) and accepted_operation(operation)

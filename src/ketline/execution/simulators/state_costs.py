"""The costs of gates and samples of a statevector on each engine, in seconds of one core. Used by the method."""

from collections.abc import Mapping
from typing import NamedTuple

from ketline.domain.devices.backend import Engine
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.sampling import draws_exactly


class _Costs(NamedTuple):
    """The seconds of an engine for a start, a gate, and a sample: from all probabilities, or from the state itself."""

    start: float
    gate: float
    probability: float
    amplitude_sampled: float
    sampled: float


_COSTS: Mapping[Engine, _Costs] = {
    Engine.LIGHTNING: _Costs(0, 6.5e-7, 5e-8, 5e-9, 4e-7),
    Engine.AER: _Costs(4e-4, 1.4e-6, 2e-7, 2e-9, 5e-6),
}
PER_OUTCOME = 3e-7
# Numbers of qubits up to which the state fits into the nearer and into the farther cache of a processor. Beyond them
# a part of every gate's time is that of reaching the amplitudes.
_IN_NEAR_CACHE, _IN_FAR_CACHE = 17, 19
_LIGHTNING_NEAR, _LIGHTNING_FAR, _LIGHTNING_MEMORY = 5e-10, 7.5e-10, 9e-10
_REACHING = 0.35
_AER_AMPLITUDE = 1.8e-9
# The time of gates on Lightning, in rotations of one qubit: diagonal ones pass over half of the amplitudes, ones
# with controls over a part, and matrices for which it has no function over all of them for each row.
_WEIGHTS: Mapping[str, float] = {
    **dict.fromkeys(("h", "x", "y"), 0.8),
    **dict.fromkeys(("p", "z", "s", "sdg", "t", "tdg", "rz", "u1"), 0.5),
    **dict.fromkeys(("cx", "swap"), 0.35),
    **dict.fromkeys(("cp", "cu1", "ccx", "ccz", "cswap", "cy"), 0.6),
    **dict.fromkeys(("rxx", "ryy", "rzz"), 0.85),
    **dict.fromkeys(("crx", "cry", "cu", "cu3", "csx", "rzx"), 2.5),
    **dict.fromkeys(("mcx", "mcphase"), 0.3),
    "cz": 0.2,
    "crz": 1.1,
    "ecr": 6,
    "measure": 0,
}
_WEIGHT_OF_A_ROW = 2.0
_WEIGHT_OF_MOST = 0.7
# Aer for every shot; describing a circuit to it takes the same for each operation, however many shots there are.
_PER_SHOT = 4.5e-5
_PER_OPERATION_OF_A_SHOT = 1e-7
_PER_OPERATION_DESCRIBED = 2e-5
_PER_AMPLITUDE_OF_A_SHOT = 2.2e-9
_PER_AMPLITUDE_MEASURED = 8e-9


def seconds_of_gates(lowered: Lowered, engine: Engine) -> float:
    """The seconds to build the state of a circuit measured at its end, including the fixed time of a task."""
    costs, size, gates = _COSTS[engine], 2.0**lowered.num_qubits, sum(lowered.operations.values())
    if engine is Engine.AER:
        return FIXED + costs.start + gates * (costs.gate + _AER_AMPLITUDE * size)
    return FIXED + costs.start + gates * costs.gate + _seconds_of_an_amplitude(lowered) * size


def _seconds_of_an_amplitude(lowered: Lowered) -> float:
    """The seconds that all gates take on Lightning for one amplitude."""
    weights = sum(count * _WEIGHTS.get(name, 1) for name, count in lowered.operations.items() if name != "unitary")
    if lowered.operations["unitary"]:
        weights += sum(_WEIGHT_OF_A_ROW * 2 ** len(qubits) for name, qubits, *_ in lowered.steps if name == "unitary")
    if lowered.num_qubits > _IN_NEAR_CACHE:
        gates = sum(lowered.operations.values()) - lowered.operations["measure"]
        weights = _REACHING * gates + (1 - _REACHING) * weights
    return weights * _seconds_of_a_pass(lowered.num_qubits)


def _seconds_of_a_pass(qubits: int) -> float:
    """The seconds of a single-qubit rotation on Lightning for each amplitude."""
    if qubits <= _IN_NEAR_CACHE:
        return _LIGHTNING_NEAR
    return _LIGHTNING_FAR if qubits <= _IN_FAR_CACHE else _LIGHTNING_MEMORY


def seconds_of_samples(lowered: Lowered, shots: int, engine: Engine) -> float:
    """The seconds to draw shots from the state and to write their outcomes."""
    costs, measured = _COSTS[engine], lowered.final_measurements or ()
    size, outcomes = 2.0**lowered.num_qubits, 2.0 ** len(measured)
    if draws_exactly(measured, shots):
        drawing = costs.probability * outcomes + costs.amplitude_sampled * size
    else:
        drawing = costs.amplitude_sampled * size + costs.sampled * shots
    return drawing + PER_OUTCOME * min(outcomes, shots)


def seconds_of_a_gate(qubits: int) -> float:
    """The seconds of a typical gate on Lightning."""
    return _COSTS[Engine.LIGHTNING].gate + _WEIGHT_OF_MOST * _seconds_of_a_pass(qubits) * 2.0**qubits


def seconds_shot_by_shot(lowered: Lowered, shots: int) -> float:
    """The seconds to run a circuit on Aer shot by shot, as one with measurements before its end requires."""
    operations, size = sum(lowered.operations.values()), 2.0**lowered.num_qubits
    measured = lowered.operations["measure"] + lowered.operations["reset"]
    gates = operations * _PER_OPERATION_OF_A_SHOT + (operations - measured) * _PER_AMPLITUDE_OF_A_SHOT * size
    each = _PER_SHOT + gates + measured * _PER_AMPLITUDE_MEASURED * size
    return FIXED + operations * _PER_OPERATION_DESCRIBED + shots * each

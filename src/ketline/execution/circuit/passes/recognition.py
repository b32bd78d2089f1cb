"""Recognises what a sequence of gates does as a gate on one qubit under several controls, in gates simulators have.

Qiskit's exporter writes such gates as definitions of hundreds of gates; front ends call it for those.
"""

from cmath import exp, phase
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import atan2
from typing import Any, NamedTuple

import numpy as np
from qiskit.circuit.library import MCPhaseGate, MCXGate, UGate, XGate

from ketline.execution.circuit.operations import Step, matrix_of

# Gates that differ by more than this in an amplitude are different gates; rounding is a thousand times less.
_TOLERANCE = 1e-10
# Two determine a gate on one qubit, the third tells whether it is one.
_STATES = 3
# The states are the same in every process, so that the same program is simulated in the same way.
_SEED = 20_250_601
_MIN_QUBITS = 4
_MAX_QUBITS = 24
# With fewer a gate can be one of the Clifford group, whose definition says so and whose name here does not.
_MIN_CONTROLS = 2
# The number of amplitudes that are compared; gates with two controls or more leave most of them unchanged.
_SAMPLED = 16
# Smaller definitions are simulated as they are, and those that are called less often: recognition takes as long as
# three calls.
MIN_OPERATIONS = 32
MIN_CALLS = 4
# Amplitudes that all recognitions of a program may change; as many take a second.
_MAX_AMPLITUDES = 1 << 28


class NativeGate(NamedTuple):
    """Qiskit's gate, one of `x`, `u`, `mcx` and `mcphase`, and its operands; the last is the target."""

    gate: Any
    operands: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recognised:
    """Gates in order, and a global phase, equal to a definition."""

    gates: tuple[NativeGate, ...]
    phase: float


class Recogniser:
    """Recognises the definitions of one program, each once, within a budget for all of them."""

    def __init__(self, *, one_name_each: bool = True) -> None:
        """With `one_name_each` a definition's name, with the arguments, identifies it; else what it expands to."""
        self.one_name_each = one_name_each
        self._amplitudes_left = _MAX_AMPLITUDES
        self._found: dict[Hashable, Recognised | None] = {}

    def of(self, definition: Hashable, steps: Callable[[], Sequence[Step]], qubits: int) -> Recognised | None:
        """The gates that a definition, with its arguments, is; `steps` makes its gates on qubits 0 to `qubits` - 1."""
        if definition not in self._found:
            self._found[definition] = self._recognised(steps(), qubits) if qubits <= _MAX_QUBITS else None
        return self._found[definition]

    def _recognised(self, steps: Sequence[Step], qubits: int) -> Recognised | None:
        if len(steps) < MIN_OPERATIONS:
            return None
        self._amplitudes_left -= len(steps) << qubits
        return recognise(steps, qubits) if self._amplitudes_left >= 0 else None


def identity_of(steps: Sequence[Step]) -> Hashable | None:
    """A key that two definitions of the same gates share; None where a parameter has no value yet."""
    try:
        return tuple([(name, *operands, *map(_value_of, parameters)) for name, operands, _, parameters, _ in steps])
    except TypeError:
        return None


def _value_of(parameter: Any) -> float | bytes:
    return parameter.tobytes() if isinstance(parameter, np.ndarray) else float(parameter)


def recognise(steps: Sequence[Step], qubits: int) -> Recognised | None:
    """The gate on one of qubits 0 to `qubits` - 1, under two controls or more, that these gates are; None if no such.

    Controls may be 0 or 1, and other qubits may have any state, as ancillas that are given back. Both unitaries are
    applied to random states, and every amplitude is compared. Unitaries that differ by d somewhere give amplitudes that
    differ by about d, so another gate is not taken for one of these. It takes time and memory proportional to 2^qubits,
    the time for each step.

    Source: R. Freivalds, "Probabilistic machines can use less running time", IFIP Congress (1977).
    """
    if qubits < _MIN_QUBITS:
        return None
    random = np.random.default_rng(_SEED)
    before = np.exp(2j * np.pi * random.random((_STATES, 1 << qubits)))
    after = _after(before, steps, qubits)
    turn = _turn(before[0], after[0])
    found = _candidate(before, after / turn, qubits)
    if found is None:
        return None
    recognised = Recognised(found, phase(turn))
    return recognised if _is_what_it_does(recognised, before, after) else None


def _turn(before: Any, after: Any) -> complex:
    """The global phase: by what most of some amplitudes are multiplied."""
    places = np.arange(_SAMPLED) * (len(before) // _SAMPLED)
    factors = after[places] / before[places]
    agreeing = [np.count_nonzero(np.abs(factors - factor) <= _TOLERANCE) for factor in factors]
    return complex(factors[int(np.argmax(agreeing))])


def _candidate(before: Any, after: Any, qubits: int) -> tuple[NativeGate, ...] | None:
    """The gates of the only gate under controls that can have changed states like this, without a global phase.

    Bit q of an index belongs to qubit q.
    """
    changed = np.flatnonzero(np.abs(after - before).max(axis=0) > _TOLERANCE)
    if not changed.size:
        return None
    always = int(np.bitwise_and.reduce(changed))
    never = ~int(np.bitwise_or.reduce(changed))
    controls = [qubit for qubit in range(qubits) if (always | never) >> qubit & 1]
    free = [qubit for qubit in range(qubits) if qubit not in controls]
    if len(changed) != 1 << len(free):
        return None
    zeros = [qubit for qubit in controls if never >> qubit & 1]
    factors = after[:, changed] / before[:, changed]
    if np.abs(factors - factors[0, 0]).max() <= _TOLERANCE:
        gates = _by_angle(phase(factors[0, 0]), controls)
    else:
        gates = _by_matrix(before, after, changed, controls, free)
    if gates is None:
        return None
    flips = tuple([NativeGate(XGate(), (qubit,)) for qubit in zeros])
    return (*flips, *gates, *flips)


def _by_angle(angle: float, controls: Sequence[int]) -> tuple[NativeGate, ...] | None:
    """A phase where all controls are as they have to be, the last of which is the target."""
    return (_turned(angle, controls),) if len(controls) > _MIN_CONTROLS else None


def _by_matrix(
    before: Any, after: Any, changed: Any, controls: Sequence[int], free: Sequence[int]
) -> tuple[NativeGate, ...] | None:
    """A matrix on one of the free qubits where all controls are as they have to be."""
    if len(controls) < _MIN_CONTROLS:
        return None
    for target in free:
        zeros = changed[changed >> target & 1 == 0]
        ones = zeros | 1 << target
        old = np.array([before[:, zeros].ravel(), before[:, ones].ravel()])
        new = np.array([after[:, zeros].ravel(), after[:, ones].ravel()])
        matrix = new @ old.conj().T @ np.linalg.inv(old @ old.conj().T)
        if np.abs(matrix @ old - new).max() <= _TOLERANCE:
            return _controlled(matrix, controls, target)
    return None


def _controlled(matrix: Any, controls: Sequence[int], target: int) -> tuple[NativeGate, ...]:
    """A unitary 2x2 matrix under controls that are 1.

    In the basis of its eigenvectors it is two phases, one of which is the other and a phase more.
    """
    if np.abs(matrix - [[0, 1], [1, 0]]).max() <= _TOLERANCE:
        return (NativeGate(MCXGate(len(controls)), (*controls, target)),)
    if np.abs(matrix[[0, 1], [1, 0]]).max() <= _TOLERANCE:
        return _phases(phase(matrix[0, 0]), phase(matrix[1, 1]), controls, target)
    # With determinant 1 the matrix is cos(t) + i sin(t) times a Hermitian one.
    special = matrix * exp(-0.5j * phase(np.linalg.det(matrix)))
    _, vectors = np.linalg.eigh((special - special.conj().T) / 2j)
    one, two = np.diag(vectors.conj().T @ matrix @ vectors)
    theta, phi, lam = _angles(vectors)
    return (
        NativeGate(UGate(-theta, -lam, -phi), (target,)),
        *_phases(phase(one), phase(two), controls, target),
        NativeGate(UGate(theta, phi, lam), (target,)),
    )


def _phases(zero: float, one: float, controls: Sequence[int], target: int) -> tuple[NativeGate, ...]:
    """Phases, in radians, of a target that is 0 and that is 1, under controls."""
    both = (_turned(zero, controls),) if abs(exp(1j * zero) - 1) > _TOLERANCE else ()
    return (*both, _turned(one - zero, [*controls, target]))


def _turned(angle: float, qubits: Sequence[int]) -> NativeGate:
    """A phase where all of these qubits are 1."""
    return NativeGate(MCPhaseGate(angle, len(qubits) - 1), tuple(qubits))


def _angles(matrix: Any) -> tuple[float, float, float]:
    """The angles of `u` for a unitary 2x2 matrix, up to a global phase."""
    (a, b), (c, d) = matrix.tolist()
    first = phase(a)
    phi = phase(c) - first
    lam = phase(-b) - first if abs(c) > abs(a) else phase(d) - first - phi
    return 2 * atan2(abs(c), abs(a)), phi, lam


def _is_what_it_does(found: Recognised, before: Any, after: Any) -> bool:
    """Whether the gates do the same to every amplitude; they are applied by other rules than they were found by."""
    qubits = before.shape[1].bit_length() - 1
    states = before.copy().reshape((len(before), *(2,) * qubits))
    for native in found.gates:
        _apply_native(states, native)
    return bool(np.abs(after - exp(1j * found.phase) * states.reshape(before.shape)).max() <= _TOLERANCE)


def _apply_native(states: Any, native: NativeGate) -> None:
    """Apply a gate to states in place, to its target where its controls are 1."""
    *controls, target = [states.ndim - 1 - qubit for qubit in native.operands]
    place: list[Any] = [slice(None)] * states.ndim
    for axis in controls:
        place[axis] = slice(1, 2)
    if native.gate.name == "mcphase":
        matrix = np.diag([1, exp(1j * float(native.gate.params[0]))])
    else:
        matrix = XGate().to_matrix() if controls else native.gate.to_matrix()
    _apply(states[tuple(place)], matrix, [target])


def _after(before: Any, steps: Sequence[Step], qubits: int) -> Any:
    states = before.copy().reshape((len(before), *(2,) * qubits))
    matrices: dict[Hashable, Any] = {}
    for step in steps:
        key = (step[0], *step[3]) if step[0] != "unitary" else id(step)
        if key not in matrices:
            matrices[key] = np.asarray(matrix_of(step))
        _apply(states, matrices[key], [qubits - qubit for qubit in step[1]])
    return states.reshape(before.shape)


def _apply(state: Any, matrix: Any, axes: Sequence[int]) -> None:
    """Apply a matrix to axes of a state in place, bit j of an index for `axes[j]`; rows of the identity are skipped."""
    rows = [row for row in range(len(matrix)) if matrix[row, row] != 1 or np.count_nonzero(matrix[row]) > 1]
    places = [_place(row, axes, state.ndim) for row in range(len(matrix))]
    needed = {int(column) for row in rows for column in np.flatnonzero(matrix[row])}
    old = {column: state[places[column]].copy() for column in needed}
    for row in rows:
        columns = np.flatnonzero(matrix[row]).tolist()
        state[places[row]] = sum(matrix[row, column] * old[column] for column in columns)


def _place(index: int, axes: Sequence[int], dimensions: int) -> tuple[Any, ...]:
    place: list[Any] = [slice(None)] * dimensions
    for number, axis in enumerate(axes):
        place[axis] = index >> number & 1
    return tuple(place)

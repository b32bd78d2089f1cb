"""Leaves out ancillas that Toffoli gates compute from other qubits and give back as 0. Used by `lowering.py`.

A clean ancilla holds the product of the controls after `ccx a, b, ancilla`, until the same gate makes it 0 again. What
it controls between the two is controlled by `a` and `b` instead, if neither changes meanwhile, and both gates are left
out. A chain of n such ancillas takes 2^n times the state of the gate under many controls that remains.

Source: A. Barenco et al., "Elementary gates for quantum computation", Phys. Rev. A 52 (1995), section 7.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import pi
from typing import NamedTuple

from qiskit.circuit import CircuitInstruction, Qubit
from qiskit.circuit.library import CCXGate, CPhaseGate, CXGate, CZGate, MCPhaseGate, MCXGate

from ketline.domain.circuits.gates import GATE_TABLE, Gate
from ketline.domain.circuits.unitaries import PauliRotation, PhaseShift, X, Z
from ketline.execution.circuit.library import kind_of
from ketline.execution.circuit.operations import NO_EFFECT, Step

_GATES: Mapping[str, Gate] = {gate.qiskit_name: gate for gate in GATE_TABLE if gate.qubits != 0}
_MIN_CONTROLS = 2
_MAX_CACHED = 256


class _Flip(NamedTuple):
    """X on a target where all controls are 1."""

    controls: frozenset[int]
    target: int


class _Phase(NamedTuple):
    """A phase, in radians, where all qubits are 1."""

    qubits: frozenset[int]
    angle: float


def without_clean_ancillas(steps: Sequence[Step], qubits: int) -> Sequence[Step]:
    """The same operations, on qubits that are 0 at first, without ancillas that are computed and given back.

    Qubits keep their numbers; those left out are 0 throughout. The time is linear in the operations and their operands,
    but for a logarithm.
    """
    return _Circuit(steps, qubits).without_ancillas()


class _Circuit:
    def __init__(self, steps: Sequence[Step], qubits: int) -> None:
        self._steps = steps
        # By qubit, the indices of the steps that use it, and of those that may change its value.
        self._uses: list[list[int]] = [[] for _ in range(qubits)]
        self._changes: list[list[int]] = [[] for _ in range(qubits)]
        for number, step in enumerate(steps):
            if step[0] not in NO_EFFECT:
                self._record(number, step)
        self._written: dict[int, _Flip | _Phase] = {}  # instead of the steps of these indices
        self._left_out: set[int] = set()

    def _record(self, number: int, step: Step) -> None:
        controls = _controls_of(step)
        for place, qubit in enumerate(step[1]):
            self._uses[qubit].append(number)
            if place >= controls:
                self._changes[qubit].append(number)

    def without_ancillas(self) -> Sequence[Step]:
        changed: set[int] = set()  # the qubits that may not be 0
        for number, step in enumerate(self._steps):
            if number in self._left_out or step[0] in NO_EFFECT or step[0] == "measure":
                continue
            if step[0] == "reset":
                changed.difference_update(step[1])
            elif not self._is_computing(number, changed):
                changed.update(step[1][_controls_of(step) :])
        if not self._left_out:
            return self._steps
        kept = (number for number in range(len(self._steps)) if number not in self._left_out)
        return [self._step(number) for number in kept]

    def _is_computing(self, number: int, changed: set[int]) -> bool:
        """Whether a step computes an ancilla; if so, it and the one that gives it back are left out."""
        gate = self._gate(number)
        if not isinstance(gate, _Flip) or len(gate.controls) < _MIN_CONTROLS or gate.target in changed:
            return False
        end = _following(self._changes[gate.target], number)
        if end is None or self._gate(end) != gate:
            return False
        if any(_has_between(self._changes[control], number, end) for control in gate.controls):
            return False
        uses = self._uses[gate.target]
        between = uses[bisect_right(uses, number) : bisect_left(uses, end)]
        gates = [self._gate(use) for use in between]
        if None in gates:
            return False
        for use, controlled in zip(between, gates, strict=True):
            self._written[use] = _controlled_by(controlled, gate)
        self._left_out |= {number, end}
        return True

    def _gate(self, number: int) -> _Flip | _Phase | None:
        return self._written.get(number) or _gate_of(self._steps[number])

    def _step(self, number: int) -> Step:
        written = self._written.get(number)
        return self._steps[number] if written is None else _step_of(written)


def _controls_of(step: Step) -> int:
    """How many operands, the first ones, keep their values: all of a diagonal gate's."""
    gate = _GATES.get(step[0])
    if gate is None or gate.unitary is None:
        return 0
    unitary = gate.unitary
    if (
        unitary is Z
        or isinstance(unitary, PhaseShift)
        or (isinstance(unitary, PauliRotation) and unitary.paulis == "zz")
    ):
        return len(step[1])
    return len(step[1]) - unitary.qubits


def _gate_of(step: Step) -> _Flip | _Phase | None:
    """A step as one of these gates, up to a global phase; None for any other."""
    name, operands, _, parameters, _ = step
    gate = _GATES.get(name)
    if gate is None:
        return None
    if gate.unitary is X:
        *controls, target = operands
        return _Flip(frozenset(controls), target)
    if gate.unitary is Z:
        return _Phase(frozenset(operands), pi)
    if not isinstance(gate.unitary, PhaseShift) or (gate.unitary.phase and len(operands) > 1):
        return None
    angle = parameters[0] if gate.unitary.angle is None else gate.unitary.angle
    return _Phase(frozenset(operands), float(angle)) if isinstance(angle, (int, float)) else None


def _controlled_by(gate: _Flip | _Phase | None, ancilla: _Flip) -> _Flip | _Phase:
    """A gate under the controls of an ancilla instead of the ancilla."""
    if isinstance(gate, _Flip):
        return _Flip(gate.controls - {ancilla.target} | ancilla.controls, gate.target)
    assert gate is not None  # the caller has checked it
    return _Phase(gate.qubits - {ancilla.target} | ancilla.controls, gate.angle)


def _step_of(gate: _Flip | _Phase) -> Step:
    """One of these gates, on two qubits at least, as a step."""
    if isinstance(gate, _Flip):
        operands, controls = [*sorted(gate.controls), gate.target], len(gate.controls)
        if controls <= 2:
            kind = CXGate if controls == 1 else CCXGate
            return "cx" if controls == 1 else "ccx", operands, (), (), kind_of(kind)
        return "mcx", operands, (), (), _flip_under(controls)
    operands = sorted(gate.qubits)
    if len(operands) > 2:
        return "mcphase", operands, (), (gate.angle,), _phase_under(gate.angle, len(operands) - 1)
    if gate.angle == pi:
        return "cz", operands, (), (), kind_of(CZGate)
    return "cp", operands, (), (gate.angle,), kind_of(CPhaseGate)


@lru_cache(_MAX_CACHED)
def _flip_under(controls: int) -> CircuitInstruction:
    return CircuitInstruction(MCXGate(controls), [Qubit() for _ in range(controls + 1)])


@lru_cache(_MAX_CACHED)
def _phase_under(angle: float, controls: int) -> CircuitInstruction:
    return CircuitInstruction(MCPhaseGate(angle, controls), [Qubit() for _ in range(controls + 1)])


def clear_caches() -> None:
    """Drop the gates of earlier circuits: the time of lowering one would tell what angles they had."""
    _flip_under.cache_clear()
    _phase_under.cache_clear()


def _following(numbers: Sequence[int], number: int) -> int | None:
    """The first of ascending numbers after this one."""
    place = bisect_right(numbers, number)
    return numbers[place] if place < len(numbers) else None


def _has_between(numbers: Sequence[int], first: int, end: int) -> bool:
    following = _following(numbers, first)
    return following is not None and following < end

"""The gates that a program can call in the unroller, and their modifiers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from openqasm3 import ast
from qiskit.circuit.library import CXGate

from ketline.domain.circuits.gates import Origin, gates_from
from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.execution.circuit.derivatives.dual import value_of
from ketline.execution.circuit.library import class_of
from ketline.execution.frontend.importer.gates import is_control
from ketline.execution.frontend.unroller.budget import Budget
from ketline.execution.frontend.unroller.open_gates import controlled, power

_MAX_POWER_QUBITS = 8
_CONTROLS = (ast.GateModifierName.ctrl, ast.GateModifierName.negctrl)


@dataclass(frozen=True, slots=True)
class LibraryGate:
    """A gate of Qiskit's library with its name in programs; `id` has no `build`."""

    build: Callable[..., Any] | None
    parameters: int
    qubits: int
    name: str


@dataclass(frozen=True, slots=True)
class Modifier:
    """A modifier with its number: the number of controls of `ctrl` and `negctrl`, or the exponent of `pow`."""

    kind: ast.GateModifierName
    number: Any = 1


def _library(origin: Origin) -> dict[str, LibraryGate]:
    return {
        gate.name: LibraryGate(class_of(gate), gate.parameters, gate.qubits, gate.name)
        for gate in gates_from(origin)
        if gate.qubits
    }


# The gates that need no include; `gphase`, which acts on no qubit, is a separate statement.
BUILTIN_GATES = _library(Origin.LANGUAGE)
STANDARD_GATES = _library(Origin.STANDARD)
CNOT = LibraryGate(CXGate, 0, 2, "cx")
# Gates that Qiskit's exporter writes without a definition, as if stdgates.inc had them.
FURTHER_GATES = _library(Origin.QISKIT)


def modified(gate: Any, modifiers: Sequence[Modifier], budget: Budget) -> Any:
    """A gate with its modifiers applied, the one nearest to it first.

    Source: OpenQASM 3 specification, "Gates", section "Quantum gate modifiers".
    """
    states: list[bool] = []  # of controls that stand next to each other
    for modifier in reversed(modifiers):
        if modifier.kind in _CONTROLS:
            states = control_states([modifier]) + states
            continue
        gate = controlled(gate, states)
        states = []
        gate = gate.inverse() if modifier.kind is ast.GateModifierName.inv else _power(gate, modifier.number, budget)
    return controlled(gate, states)


def _power(gate: Any, exponent: Any, budget: Budget) -> Any:
    if gate.num_qubits > _MAX_POWER_QUBITS:
        raise ProgramUnsupported(f"powers of gates on more than {_MAX_POWER_QUBITS} qubits are not supported")
    budget.operations(4**gate.num_qubits)  # its matrix has this many numbers
    return power(gate, exponent)


def control_states(modifiers: Sequence[Modifier]) -> list[bool]:
    """For each control qubit of a call, whether its control state is 1 (`ctrl`) or 0 (`negctrl`)."""
    return [
        modifier.kind is ast.GateModifierName.ctrl
        for modifier in modifiers
        if modifier.kind in _CONTROLS
        for _ in range(int(modifier.number))
    ]


def phase_angle(angle: Any, modifiers: Sequence[Modifier]) -> Any:
    """The angle of a global phase with `inv` and `pow` applied."""
    for modifier in modifiers:
        if modifier.kind is ast.GateModifierName.inv:
            angle = -angle
        elif modifier.kind is ast.GateModifierName.pow:
            angle *= modifier.number
    return angle


def check_controls(node: Any, number: int, qubits: int) -> int:
    if is_control(node) and not 0 < number <= qubits:
        raise ProgramInvalid(f"{number} controls and a gate do not fit {qubits} qubits")
    return number


def check_angles(angles: Sequence[Any]) -> None:
    if not all(math.isfinite(value_of(angle)) for angle in angles):
        raise ProgramInvalid("this angle is not a finite number")


def applications(operands: Sequence[Any]) -> list[tuple[int, ...]]:
    """The qubits of each application of a gate: registers apply it to all their qubits in iteration.

    Source: OpenQASM 3 specification, "Gates", on broadcasting.
    """
    widths = {len(operand) for operand in operands if isinstance(operand, tuple)}
    if not widths:
        return [tuple(operands)]
    if len(widths) > 1:
        raise ProgramInvalid(
            "registers in one call of a gate need the same size, and these have "
            + " and ".join(map(str, sorted(widths)))
        )
    (width,) = widths
    columns = [operand if isinstance(operand, tuple) else (operand,) * width for operand in operands]
    return list(zip(*columns, strict=True))

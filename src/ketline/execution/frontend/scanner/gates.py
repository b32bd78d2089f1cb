"""The gates that the scanner can call, and the operations that a call adds to the circuit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit.library import IGate

from ketline.domain.circuits import gates
from ketline.domain.circuits.gates import Origin, gates_from
from ketline.execution.circuit.library import class_of, kind_of
from ketline.execution.circuit.operations import Step
from ketline.execution.frontend.braket.names import ALIASES, SHARED
from ketline.execution.frontend.scanner.constants import Number, Value, cost_of, evaluate, evaluate_later, float_of
from ketline.execution.frontend.scanner.lexicon import Declined

_MAX_NESTED_GATES = 24

Qubits = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StandardGate:
    """A gate of Qiskit's library: its name and kind there, and the `phase` that it has over Qiskit's."""

    name: str
    kind: Any
    parameters: int
    qubits: int
    phase: Callable[..., Number] | None = None
    size: int = 1
    depth: int = 0
    cost: int = 0


@dataclass(frozen=True, slots=True)
class InnerCall:
    """A call in a gate's body; without a gate it is a global phase."""

    gate: "Gate | None"
    arguments: tuple[Value, ...]
    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DefinedGate:
    """A gate that the program defines.

    `size` is what a call takes of the operations a program may have, `cost` how many steps it takes to work out.
    """

    parameter_names: tuple[str, ...]
    qubits: int
    body: tuple[InnerCall, ...]
    size: int
    depth: int
    cost: int

    @property
    def parameters(self) -> int:
        return len(self.parameter_names)


Gate = StandardGate | DefinedGate


# The result of a call: its size, its steps, and phases to be added one after the other.
Expansion = tuple[int, list[Step], list[Number]]


def expand(gate: Gate, arguments: Sequence[Value], applications: Sequence[Qubits]) -> Expansion:
    """The operations of calls of a gate with these arguments on these qubits.

    If arguments are functions of inputs, so are parameters of operations, and phases that depend on them are left out.
    """
    steps: list[Step] = []
    phases: list[Number] = []
    if isinstance(gate, DefinedGate):
        for qubits in applications:
            _inline(gate, arguments, qubits, steps, phases)
    else:
        parameters = tuple(map(float_of, arguments))
        steps = [(gate.name, qubits, (), parameters, gate.kind) for qubits in applications]
        if gate.phase is not None and not any(map(callable, parameters)):
            phases = [gate.phase(*parameters) * len(applications)]  # as the importer adds them
    return gate.size * len(applications), steps, phases


def _inline(
    gate: DefinedGate,
    arguments: Sequence[Value],
    qubits: Qubits,
    steps: list[Step],
    phases: list[Number],
) -> None:
    later = any(map(callable, arguments))
    values: dict[str, Any] = dict(zip(gate.parameter_names, map(float_of, arguments), strict=True))
    for call in gate.body:
        numbers = [evaluate_later(value, values) if later else evaluate(value, values) for value in call.arguments]
        inner = tuple([qubits[position] for position in call.qubits])
        if call.gate is None:
            phases.extend([number for number in numbers if not callable(number)])
        elif isinstance(call.gate, DefinedGate):
            _inline(call.gate, numbers, inner, steps, phases)
        else:
            steps.append((call.gate.name, inner, (), tuple(map(float_of, numbers)), call.gate.kind))
            if (
                call.gate.phase is not None and not later
            ):  # as the importer has it, which may have to put a control on the definition
                phases.append(call.gate.phase(*numbers))


def standard_gates() -> dict[str, Gate]:
    """The gates of stdgates.inc."""
    return {gate.name: _standard_gate(gate) for gate in gates_from(Origin.STANDARD)}


def braket_gates() -> dict[str, Gate]:
    """Gates by their names in Amazon Braket's dialect; those that are made of several are left to the unroller."""
    gates = {gate.name: gate for gate in gates_from(Origin.STANDARD, Origin.QISKIT)}
    return {name: _standard_gate(gates[ALIASES.get(name, name)]) for name in SHARED | ALIASES.keys()}


def builtin_gates() -> dict[str, Gate]:
    """Those that need no include; `gphase`, which acts on no qubit, is a statement of its own."""
    return {gate.name: _standard_gate(gate) for gate in gates_from(Origin.LANGUAGE) if gate.qubits}


def defined_gate(
    parameter_names: tuple[str, ...], qubits: int, body: tuple[InnerCall, ...], barriers: int
) -> DefinedGate:
    """A gate with its size and the depth of the definitions that it uses.

    Raises:
        Declined: they nest too deeply.
    """
    called = [call.gate for call in body if call.gate is not None]
    depth = 1 + max((gate.depth for gate in called), default=0)
    if depth > _MAX_NESTED_GATES:
        raise Declined
    phases = len(body) - len(called)
    size = sum(gate.size for gate in called) + phases + barriers
    cost = len(parameter_names) + sum(map(_cost_of_call, body))
    return DefinedGate(parameter_names, qubits, body, max(1, size), depth, cost)


def _cost_of_call(call: InnerCall) -> int:
    inner = 0 if call.gate is None else call.gate.cost
    return 1 + inner + len(call.qubits) + sum(map(cost_of, call.arguments))


def _standard_gate(gate: gates.Gate) -> StandardGate:
    kind = kind_of(class_of(gate) or IGate)
    return StandardGate(gate.qiskit_name, kind, gate.parameters, gate.qubits or 0, phase=gate.phase_over_qiskit)

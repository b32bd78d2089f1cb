"""Gates the scanner knows, and what a call of one comes to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import CircuitInstruction

from ketline.domain import gates
from ketline.domain.gates import Origin, gates_from
from ketline.execution.circuit.library import class_of
from ketline.execution.frontend.scanner.constants import Number, Value, cost_of, evaluate
from ketline.execution.frontend.scanner.lexicon import Declined

_MOST_NESTED_GATES = 24
_from_standard = CircuitInstruction.from_standard

Qubits = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class StandardGate:
    """A gate of Qiskit's library; one without `kind` has no effect. `phase` is what it has over Qiskit's."""

    kind: Any
    parameters: int
    qubits: int
    phase: Callable[..., Number] | None = None
    size: int = 1
    depth: int = 0
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Step:
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
    body: tuple[Step, ...]
    size: int
    depth: int
    cost: int

    @property
    def parameters(self) -> int:
        return len(self.parameter_names)


Gate = StandardGate | DefinedGate


# What a call comes to: its size, its instructions, and phases to be added one after the other.
Expansion = tuple[int, list[CircuitInstruction], list[Number]]


def expand(gate: Gate, arguments: Sequence[Number], applications: Sequence[Qubits]) -> Expansion:
    """What calls of a gate with these arguments on these qubits come to."""
    instructions: list[CircuitInstruction] = []
    phases: list[Number] = []
    if isinstance(gate, DefinedGate):
        for qubits in applications:
            _inline(gate, arguments, qubits, instructions, phases)
    elif gate.kind is not None:
        instructions = [_from_standard(gate.kind, qubits, arguments) for qubits in applications]
    return gate.size * len(applications), instructions, phases


def _inline(
    gate: DefinedGate,
    arguments: Sequence[Number],
    qubits: Qubits,
    instructions: list[CircuitInstruction],
    phases: list[Number],
) -> None:
    values = dict(zip(gate.parameter_names, map(float, arguments), strict=True))
    for step in gate.body:
        numbers = [evaluate(value, values) for value in step.arguments]
        inner = tuple([qubits[position] for position in step.qubits])
        if step.gate is None:
            phases.extend(numbers)
        elif isinstance(step.gate, DefinedGate):
            _inline(step.gate, numbers, inner, instructions, phases)
        elif step.gate.kind is not None:
            instructions.append(_from_standard(step.gate.kind, inner, numbers))
            if step.gate.phase is not None:  # as the importer has it, which may have to put a control on the definition
                phases.append(step.gate.phase(*numbers))


def standard_gates() -> dict[str, Gate]:
    """The gates of stdgates.inc."""
    return {gate.name: _standard_gate(gate) for gate in gates_from(Origin.STANDARD)}


def builtin_gates() -> dict[str, Gate]:
    """Those that need no include; `gphase`, which acts on no qubit, is a statement of its own."""
    return {gate.name: _standard_gate(gate) for gate in gates_from(Origin.LANGUAGE) if gate.qubits}


def defined_gate(parameter_names: tuple[str, ...], qubits: int, body: tuple[Step, ...], barriers: int) -> DefinedGate:
    """A gate with its size and the depth of the definitions it stands on.

    Raises:
        Declined: they nest too deeply.
    """
    called = [step.gate for step in body if step.gate is not None]
    depth = 1 + max((gate.depth for gate in called), default=0)
    if depth > _MOST_NESTED_GATES:
        raise Declined
    phases = len(body) - len(called)
    size = sum(gate.size for gate in called) + phases + barriers
    cost = len(parameter_names) + sum(map(_cost_of_step, body))
    return DefinedGate(parameter_names, qubits, body, max(1, size), depth, cost)


def _cost_of_step(step: Step) -> int:
    inner = 0 if step.gate is None else step.gate.cost
    return 1 + inner + len(step.qubits) + sum(map(cost_of, step.arguments))


def _standard_gate(gate: gates.Gate) -> StandardGate:
    found = class_of(gate)
    # Qiskit's fast constructor takes this attribute and nothing else.
    kind = None if found is None else found._standard_gate  # noqa: SLF001
    return StandardGate(kind, gate.parameters, gate.qubits or 0, phase=gate.phase_over_qiskit)

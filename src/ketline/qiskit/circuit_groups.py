"""Groups circuits of a job that differ in angles only: each group is one program with inputs, read once as a sweep."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from math import isfinite
from typing import Any

import numpy as np
from qiskit.circuit import ControlFlowOp, Parameter

from ketline.client.convert.qiskit import SerializedCircuit, serialized
from ketline.client.task_limits import (
    MAX_CIRCUITS,
    MAX_OPERATIONS_BY_AMPLITUDES,
    TaskLimits,
    points_in_a_task,
    portions,
    work_of,
)
from ketline.domain.limits import MAX_INPUTS
from ketline.qiskit.sweeps import inputs_of

# Registers, and for each instruction its name, qubits, bits and number of angles.
_Structure = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitGroup:
    """Circuits of a list, by index, as one program; `inputs` has a value for each of several, and none for one."""

    members: Sequence[int]
    circuit: SerializedCircuit
    inputs: Mapping[str, list[float]] = field(default_factory=dict)


def groups_of(
    circuits: Sequence[Any],
    limits: TaskLimits,
    result_characters: float,
    most: int = MAX_CIRCUITS,
    *,
    with_delays: bool = False,
) -> list[CircuitGroup]:
    """The groups of circuits without parameters, in the order of their first members.

    `result_characters` is the approximate size of one circuit's result as JSON. A group has at most `most` circuits. A
    circuit is grouped only if it applies Qiskit's standard gates and measures at its end, and takes little time to
    simulate. `with_delays`: they run on a device, whose qubits relax in delays.
    """
    alike: dict[object, list[int]] = {}
    angles: dict[int, Sequence[float]] = {}
    for number, circuit in enumerate(circuits):
        structure, angles[number] = _structure_of(circuit) if len(circuits) > 1 else (None, ())
        alike.setdefault(number if structure is None else structure, []).append(number)
    split = partial(
        _split, circuits, angles, limits, result_characters, min(most, MAX_CIRCUITS), with_delays=with_delays
    )
    return sorted(chain.from_iterable(map(split, alike.values())), key=lambda group: group.members[0])


def measures(circuit: Any) -> bool:
    """Whether the circuit may measure; without a measurement all bits stay 0 and no task is needed."""
    return any(
        any(map(measures, instruction.operation.blocks))
        if isinstance(instruction.operation, ControlFlowOp)
        else bool(instruction.clbits)
        for instruction in circuit.data
    )


def _split(
    circuits: Sequence[Any],
    angles: Mapping[int, Sequence[float]],
    limits: TaskLimits,
    result_characters: float,
    most: int,
    members: Sequence[int],
    *,
    with_delays: bool,
) -> Iterator[CircuitGroup]:
    """Groups of circuits of one structure, each of which fits into one task."""
    first = circuits[members[0]]
    values = np.array([angles[member] for member in members], dtype=np.float64).reshape(len(members), -1)
    varying = np.flatnonzero((values != values[0]).any(axis=0))
    if len(members) > 1 and len(varying) <= MAX_INPUTS:
        fitting = points_in_a_task(limits, max(1, len(varying)), result_characters)
        most = min(most, fitting, MAX_OPERATIONS_BY_AMPLITUDES // _work_of(first))
    else:
        most = 1
    template = None
    for part in portions(len(members), most):
        some = members[part]
        if len(some) == 1:
            yield CircuitGroup(members=some, circuit=serialized(circuits[some[0]], with_delays=with_delays))
            continue
        template = template or _template(first, varying.tolist())
        program, columns = template
        inputs = inputs_of(program.parameters, values[part][:, columns] if columns else np.zeros((len(some), 1)))
        yield CircuitGroup(members=some, circuit=program, inputs=inputs)


def _structure_of(circuit: Any) -> tuple[_Structure | None, Sequence[float]]:
    """The common structure of a group's circuits, and the circuit's angles; None for a circuit that is not grouped."""
    if circuit.num_vars or not circuit.data or _work_of(circuit) > MAX_OPERATIONS_BY_AMPLITUDES:
        return None, ()
    bits = {bit: number for number, bit in enumerate((*circuit.qubits, *circuit.clbits))}
    registers = [(one.name, tuple(bits[bit] for bit in one)) for one in (*circuit.qregs, *circuit.cregs)]
    structure: list[Any] = [len(circuit.qubits), len(circuit.clbits), tuple(registers)]
    angles: list[float] = []
    measured: set[int] = set()
    for instruction in circuit.data:
        name, own = instruction.name, [] if instruction.name == "barrier" else instruction.params
        operands = tuple([bits[bit] for bit in (*instruction.qubits, *instruction.clbits)])
        if name == "measure":
            measured.add(operands[0])
        elif not _is_plain(instruction, own) or not measured.isdisjoint(operands):
            return None, ()
        structure.append((name, operands, len(own)))
        angles += own
    return tuple(structure), angles


def _is_plain(instruction: Any, parameters: Sequence[Any]) -> bool:
    """Whether an instruction is a barrier, or a standard gate whose angles are numbers."""
    if instruction.name == "barrier":
        return True
    return bool(instruction.is_standard_gate()) and all(
        isinstance(value, (int, float)) and isfinite(value) for value in parameters
    )


def _work_of(circuit: Any) -> int:
    return work_of(len(circuit.data), circuit.num_qubits)


def _template(circuit: Any, varying: Sequence[int]) -> tuple[SerializedCircuit, Sequence[int]]:
    """The circuit with parameters for its angles at these places, and the place of each of the program's parameters."""
    places = {place: Parameter(f"angle{place}") for place in varying}
    template, place = circuit.copy_empty_like(), 0
    for instruction in circuit.data:
        own = [] if instruction.name == "barrier" else instruction.params
        if any(place + number in places for number in range(len(own))):
            operation = instruction.operation.to_mutable()
            operation.params = [places.get(place + number, value) for number, value in enumerate(own)]
            instruction = instruction.replace(operation=operation)
        template.append(instruction)
        place += len(own)
    if not places:
        # A sweep has an input: a global phase, on which no outcome depends.
        template.global_phase = Parameter("phase")
    place_of = {parameter: place for place, parameter in places.items()}
    return serialized(template), [place_of[parameter] for parameter in template.parameters if parameter in place_of]

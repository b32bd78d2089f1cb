"""Marks places in a circuit before transpilation, to find the device qubits of its qubits at each place afterwards.

A place becomes a barrier on all qubits. The transpiler moves no operation across it, and when it moves qubits, by
routing or by leaving a swap out, it rewrites the barrier on the new qubits, in the same order. Outputs of
states need the marks: the transpiler does not report where qubits are between the start and the end of a circuit, and
it removes gates before a measurement that change only phases.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from qiskit.circuit import Barrier

from ketline.execution.circuit.bit_use import without_final_measurements
from ketline.execution.circuit.named_places import PLACE, NamedPlace
from ketline.execution.circuit.observables.final_state import FinalState
from ketline.execution.circuit.operations import instructions_of, steps_of

_PREFIX = "ketline place "
_END = "ketline end"
_BARRIER = "barrier"


class Unmarked(NamedTuple):
    """A circuit until its end without the marks, and the device's qubits of a program's at each place, None the end.

    The circuit has the named places, each on those of the device's qubits where outputs need it.
    """

    circuit: Any
    qubits: Mapping[str | None, Sequence[int]]


def marked(circuit: Any) -> Any:
    """The circuit with a mark at each of its named places and at its end, which is before its last measurements."""
    result = circuit.copy_empty_like()
    steps, final = without_final_measurements(steps_of(circuit), circuit.clbits)
    for instruction in instructions_of(result, steps):
        if instruction.name == PLACE:
            _mark(result, f"{_PREFIX}{instruction.label}")
        elif instruction.name == _BARRIER:
            # Remove the label, which could be mistaken for a mark.
            result.append(Barrier(len(instruction.qubits)), instruction.qubits, copy=False)
        else:
            result.append(instruction, copy=False)
    _mark(result, _END)
    for qubit, bit in final:
        result.measure(qubit, bit)
    return result


def _mark(circuit: Any, label: str) -> None:
    circuit.append(Barrier(circuit.num_qubits, label=label), circuit.qubits, copy=False)


def unmarked(circuit: Any, states: FinalState) -> Unmarked:
    """The inverse of `marked` for a transpiled circuit; outputs need these states."""
    needed = dict(states.qubits)
    numbers = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    qubits: dict[str | None, Sequence[int]] = {}
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        label = instruction.label if instruction.name == _BARRIER else None
        if label == _END:
            qubits[None] = [numbers[qubit] for qubit in instruction.qubits]
            break
        if label is None or not label.startswith(_PREFIX):
            result.append(instruction, copy=False)
            continue
        name = label.removeprefix(_PREFIX)
        qubits[name] = [numbers[qubit] for qubit in instruction.qubits]
        wanted = sorted(_chosen(qubits[name], needed[name]))
        result.append(NamedPlace(name, qubits=len(wanted)), [circuit.qubits[qubit] for qubit in wanted], copy=False)
    assert qubits.keys() == {None, *needed}, "the transpiler keeps barriers"
    return Unmarked(result, qubits)


def states_on(states: FinalState, found: Unmarked) -> FinalState:
    """The same states of the device's qubits.

    A single state is that of all qubits that have gates: those that routing only passes are 0 at the end, but only
    after all of their gates.
    """
    qubits = {place: frozenset(_chosen(found.qubits[place], some)) for place, some in states.qubits}
    if states.of_one_state:
        qubits[None] |= {qubit for step in steps_of(found.circuit) for qubit in step[1]}
    return FinalState(tuple(qubits.items()), states.from_any_state, states.of_one_state)


def _chosen(qubits: Sequence[int], some: frozenset[int] | None) -> Sequence[int]:
    return qubits if some is None else [qubits[one] for one in some]

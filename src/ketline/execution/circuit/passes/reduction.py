"""Leaves operations and qubits out of a lowered circuit on which nothing depends."""

from collections.abc import Collection, Sequence

from ketline.execution.circuit.bit_use import without_final_measurements
from ketline.execution.circuit.named_places import PLACE
from ketline.execution.circuit.observables.observed_cone import observed_cone
from ketline.execution.circuit.operations import (
    Step,
    count_with_blocks,
)
from ketline.execution.circuit.passes.ancillas import without_clean_ancillas
from ketline.execution.circuit.passes.light_cone import light_cone, reduced, without_first_resets
from ketline.execution.circuit.passes.lowered import BRANCHES, Lowered

# Gates that compute ancillas.
_COMPUTING = ("ccx", "mcx")


# With more qubits a matrix product state may be the better method, and gates under many controls are not for it.
_MAX_WITHOUT_ANCILLAS = 24


def observed_cone_of(lowered: Lowered, qubits: Collection[int], bits: Collection[int]) -> Lowered:
    if BRANCHES.isdisjoint(lowered.operations) and not lowered.operations["measure"]:
        return light_cone_of(lowered, qubits)
    cone, needed = observed_cone(lowered.steps, qubits, lowered.circuit.clbits, bits)
    if len(cone) == lowered.num_qubits and len(needed) == len(lowered.steps):
        return lowered
    return reduced_to(lowered, cone, needed)


def without_spare_ancillas(lowered: Lowered, watched: Collection[int]) -> Lowered:
    """Leave out ancillas that are computed and given back, where a statevector is what then runs."""
    if sum(lowered.operations[name] for name in _COMPUTING) < 2:
        return lowered
    steps = without_clean_ancillas(lowered.steps, lowered.num_qubits)
    if len(steps) == len(lowered.steps):
        return lowered
    everything = range(lowered.num_qubits)
    plain = reduced(lowered.plain, everything, steps)
    found = light_cone_of(Lowered(plain, count_with_blocks(steps), kept_qubits=lowered.kept_qubits), watched)
    return found if found.num_qubits <= _MAX_WITHOUT_ANCILLAS else lowered


def until_last_place(lowered: Lowered) -> Lowered:
    """The circuit until its last named place, of which there is one."""
    last = max(number for number, step in enumerate(lowered.steps) if step[0] == PLACE)
    return reduced_to(lowered, range(lowered.num_qubits), lowered.steps[: last + 1])


def without_end_measurements(lowered: Lowered) -> Lowered:
    """The circuit without the measurements at its end."""
    if not lowered.operations["measure"]:
        return lowered
    steps, final = without_final_measurements(lowered.steps, lowered.circuit.clbits)
    return reduced_to(lowered, range(lowered.num_qubits), steps) if final else lowered


def without_resets_at_start(lowered: Lowered) -> Lowered:
    """Leave out resets with which preparing a state begins: a circuit without others can be simulated as a whole."""
    if not lowered.operations["reset"]:
        return lowered
    steps = without_first_resets(lowered.steps)
    return lowered if len(steps) == len(lowered.steps) else reduced_to(lowered, range(lowered.num_qubits), steps)


def light_cone_of(lowered: Lowered, watched: Collection[int]) -> Lowered:
    """Leave out qubits and operations on which no measurement or watched qubit depends."""
    cone, needed = light_cone(lowered.steps, lowered.num_qubits, watched)
    if len(cone) == lowered.num_qubits and len(needed) == len(lowered.steps):
        return lowered
    return reduced_to(lowered, cone, needed)


def reduced_to(lowered: Lowered, qubits: Collection[int], steps: Sequence[Step]) -> Lowered:
    left_out = count_with_blocks(lowered.steps) - count_with_blocks(steps)
    kept = [lowered.kept_qubits[qubit] for qubit in sorted(qubits)]
    plain = reduced(lowered.plain, qubits, steps)
    return Lowered(plain, lowered.operations - left_out, kept_qubits=kept)

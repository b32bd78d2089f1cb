"""Rewrites a circuit into what Aer simulates as it is, so that no task pays for `transpile`.

Every program that is simulated is lowered, by `execution/frontend/program.py`; conversions and drawings use
`rewritten`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ketline.domain.errors import OutputsInvalid, ProgramUnsupported
from ketline.domain.results.outputs import OutputType
from ketline.execution.circuit.bit_use import without_final_measurements
from ketline.execution.circuit.named_places import PLACE, names_of, unknown_place
from ketline.execution.circuit.observables.final_state import FinalState
from ketline.execution.circuit.operations import (
    Step,
    count_operations,
)
from ketline.execution.circuit.passes.inlining import (
    NATIVE,
    NATIVE_WITH_NOISE,
    SIMPLE,
    inline,
    inline_with_noise,
    rewritten_with_places,
)
from ketline.execution.circuit.passes.lowered import BRANCHES, IsGenuine, Lowered
from ketline.execution.circuit.passes.recognition import Recogniser
from ketline.execution.circuit.passes.reduction import (
    light_cone_of,
    observed_cone_of,
    reduced_to,
    until_last_place,
    without_end_measurements,
    without_resets_at_start,
    without_spare_ancillas,
)
from ketline.execution.circuit.plain import PlainCircuit

# Operations after which there is a state for each outcome instead of one.
_MAKES_OUTCOMES = ("reset", "store", *sorted(BRANCHES), "measure")


def lower(
    plain: PlainCircuit,
    max_operations: int,
    genuine: IsGenuine | None = None,
    *,
    one_name_each: bool = False,
    noisy: bool = False,
) -> Lowered:
    """Inline definitions, and leave out operations without effect and qubits on which no measurement depends.

    With `genuine`, operations for which it returns False are inlined whatever their names are. With `one_name_each` no
    two definitions have the same name. Those that are called often and do what few native gates do become these. With
    `noisy` gates are not recognised, and those to which errors attach are not left out; resets are not either.

    Raises:
        ProgramUnsupported: nothing is measured.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    if noisy:
        lowered = inline_with_noise(plain, max_operations, genuine)
    else:
        lowered = inline(plain, max_operations, genuine, Recogniser(one_name_each=one_name_each))
        lowered = without_spare_ancillas(lowered, ())
    if not lowered.operations["measure"]:
        raise ProgramUnsupported(
            "nothing is measured, so there are no counts: declare bits and measure into them, "
            "for instance 'bit[2] c; c = measure q;'"
        )
    lowered = light_cone_of(lowered, ())
    # If all operations before a reset are outside of the light cone, the reset is the first.
    return lowered if noisy else without_resets_at_start(lowered)


def keeps_steps(steps: Sequence[Step]) -> bool:
    """Whether lowering a circuit of these steps only leaves some out: all are gates that Aer has, or have no effect."""
    return SIMPLE.issuperset(count_operations(steps))


class ObservedCircuit(NamedTuple):
    """A circuit that gives expectation values in its final state, averaged over all outcomes.

    `dephased` qubits, by original index, are measured last of all, so that operators with X or Y on them have the value
    0; such measurements are left out.
    """

    lowered: Lowered
    dephased: frozenset[int]


def lower_observed(
    plain: PlainCircuit,
    max_operations: int,
    qubits: Collection[int],
    genuine: IsGenuine | None = None,
    *,
    bits: Collection[int] = (),
    noisy: bool = False,
) -> ObservedCircuit:
    """As `lower`, for a circuit whose counts are not needed: observables act on these qubits, by index.

    `bits` are those whose values are needed nevertheless.

    Raises:
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    if noisy:
        lowered = observed_cone_of(inline_with_noise(plain, max_operations, genuine), qubits, bits)
        return ObservedCircuit(lowered, frozenset())
    lowered = inline(plain, max_operations, genuine)
    lowered = without_resets_at_start(without_spare_ancillas(lowered, qubits))
    lowered, dephased = without_last_measurements(lowered, bits)
    # If all operations before a reset are outside of the cone, the reset is the first.
    return ObservedCircuit(without_resets_at_start(observed_cone_of(lowered, qubits, bits)), dephased)


def without_last_measurements(lowered: Lowered, bits: Collection[int]) -> ObservedCircuit:
    """Leave out measurements after which neither qubit nor bit is used, unless the value of a bit of these is needed.

    With noise, that is for measurements without errors only.
    """
    if not lowered.operations["measure"]:
        return ObservedCircuit(lowered, frozenset())
    steps, last = without_final_measurements(lowered.steps, lowered.circuit.clbits)
    if not last or any(bit in bits for _, bit in last):
        return ObservedCircuit(lowered, frozenset())
    dephased = frozenset(lowered.kept_qubits[qubit] for qubit, _ in last)
    return ObservedCircuit(reduced_to(lowered, range(lowered.num_qubits), steps), dephased)


def lower_state(
    plain: PlainCircuit,
    max_operations: int,
    states: FinalState,
    genuine: IsGenuine | None = None,
    *,
    bits: Collection[int] = (),
    noisy: bool = False,
    unmeasured: bool = False,
) -> Lowered:
    """As `lower_observed`, for the states at named places and before the measurements at the end, with their phases.

    The circuit keeps the places, on the qubits that are needed there, with their phases. A circuit that measures
    before its end, resets or branches keeps what its states depend on; all others have only gates and places. Where
    outputs need other states than that which begins with 0, first resets are not left out. `bits` as there, `noisy` as
    for `lower`. The measurements at the end of an `unmeasured` circuit have been left out before: all that it has stay.

    Raises:
        OutputsInvalid: the circuit has no such place or qubit; or outputs need one pure state, and it measures before
            its end, resets, branches or loops.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    needed, places = states.require_fit(plain.num_qubits), places_of(plain, states)
    lowered, phase = rewritten_with_places(
        plain.circuit, NATIVE_WITH_NOISE if noisy else NATIVE, max_operations, genuine, places
    )
    if not (states.from_any_state or noisy):
        lowered = without_resets_at_start(lowered)
    lowered = lowered if None in needed else until_last_place(lowered)
    lowered = lowered if unmeasured else without_end_measurements(lowered)
    _require_one_state(lowered, dict(states.of_one_state))
    lowered = observed_cone_of(lowered, needed.get(None, ()), bits)
    lowered.circuit.global_phase = phase
    return lowered


def places_of(plain: PlainCircuit, states: FinalState) -> Mapping[str, Sequence[int]]:
    """The named places of a circuit at which states are needed, each with the qubits that are, in order.

    Raises:
        OutputsInvalid: the circuit has no such place or qubit.
    """
    needed = states.require_fit(plain.num_qubits)
    known = names_of(plain.circuit) if any(step[0] == PLACE for step in plain.steps) else []
    if missing := next((place for place in needed if place is not None and place not in known), None):
        raise unknown_place(missing, known)
    return {place: sorted(qubits) for place, qubits in needed.items() if place is not None}


def is_averaged(lowered: Lowered) -> bool:
    """Whether a circuit that `lower_state` made has no single state, but one for each outcome."""
    return any(lowered.operations[name] for name in _MAKES_OUTCOMES)


def _require_one_state(lowered: Lowered, needed: Mapping[str | None, OutputType]) -> None:
    """Reject a circuit without a single state at these places, None for the end.

    Raises:
        OutputsInvalid: it measures before one of them, resets, branches or loops.
    """
    before: set[str] = set()
    for step in lowered.steps if needed else ():
        if step[0] == PLACE:
            _reject_outcomes(before, step[4].label, needed)
        else:
            before.add(step[0])
    _reject_outcomes(before, None, needed)


def _reject_outcomes(before: Collection[str], place: str | None, needed: Mapping[str | None, OutputType]) -> None:
    what = next((name for name in _MAKES_OUTCOMES if name in before), None)
    if what is None or place not in needed:
        return
    where = "its end" if place is None else f"'{place}'"
    reason = f"measures before {where}" if what == "measure" else f"has '{what}'"
    raise OutputsInvalid(
        f"a {needed[place]} is that of one pure state, and this program {reason}, so that it has one for each outcome: "
        "ask for density_matrix, probabilities or expectation_values, which are averaged over the outcomes"
    )

"""The states of a circuit that outputs need, and their computation from the amplitudes of these states.

The bit order is Qiskit's: bit j of an index is the j-th of the qubits. Sources of the formulas: Nielsen and Chuang,
Quantum Computation and Quantum Information, sections 2.4.3 (partial trace), 2.5 (Schmidt decomposition) and 11.3
(entropy).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketline.domain.errors import OutputsInvalid, ProgramTooLarge, SimulationFailed
from ketline.domain.results.outputs import COMPLEX, OF_ONE_STATE, OutputType, RequestedOutput
from ketline.execution.circuit.observables.moments import expectation_values

# A singular value decomposition of a state with a cut through 11 qubits takes a minute.
MAX_CUT_QUBITS = 11
# The largest absolute value of an amplitude that counts as 0.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class FinalState:
    """The states that outputs need, those at named places and that at the end, and of which qubits.

    `qubits` has the needed qubits by place, None as the place for the end, and None as the qubits for all of them.
    `of_one_state` has the type of an output that only a single pure state has, by place, and `from_any_state` says that
    there is a unitary. `letters` are the lengths of the labels of observables of all qubits.
    """

    qubits: tuple[tuple[str | None, frozenset[int] | None], ...]
    from_any_state: bool
    of_one_state: tuple[tuple[str | None, OutputType], ...] = ()
    letters: frozenset[int] = frozenset()

    def require_fit(self, qubits: int) -> Mapping[str | None, Collection[int]]:
        """The indices of the qubits that are needed at each place, of a circuit's `qubits` qubits; None is the end.

        Raises:
            OutputsInvalid: the circuit lacks one of these qubits, or has no qubits at all.
        """
        if not qubits:
            raise OutputsInvalid("the program has no qubits, so it has no state: declare some, or ask for counts")
        last = max((max(some) for _, some in self.qubits if some), default=0)
        if wrong := self.letters - {qubits}:
            raise OutputsInvalid(
                f"the labels of an output's observables have {min(wrong)} letters, and the program has {qubits} "
                "qubits: a letter is needed for each, the rightmost for qubit 0"
            )
        if last >= qubits:
            raise OutputsInvalid(
                f"an output names qubit {last}, and the program has {qubits}: they are numbered from 0, "
                "in the order of declaration"
            )
        return {place: range(qubits) if some is None else some for place, some in self.qubits}


def final_state_of(outputs: Sequence[RequestedOutput]) -> FinalState:
    """The states that these outputs need; there is at least one output."""
    needed: dict[str | None, frozenset[int] | None] = {}
    for one in outputs:
        before, own = needed.get(one.at, frozenset()), _needed_qubits(one)
        needed[one.at] = None if before is None or own is None else before | own
    labels = [next(iter(one.observables[0])) for one in outputs if one.observables and one.qubits is None]
    return FinalState(
        tuple(needed.items()),
        any(one.type is OutputType.UNITARY for one in outputs),
        tuple({one.at: one.type for one in outputs if one.type in OF_ONE_STATE}.items()),
        frozenset(map(len, labels)),
    )


def _needed_qubits(output: RequestedOutput) -> frozenset[int] | None:
    """The qubits on which an output depends, None for all; of observables those that some operator acts on."""
    if output.type is not OutputType.EXPECTATION_VALUES:
        return None if output.qubits is None else frozenset(output.qubits)
    acted = {
        index
        for observable in output.observables
        for label in observable
        for index, letter in enumerate(reversed(label))
        if letter != "I"
    }
    return frozenset(index if output.qubits is None else output.qubits[index] for index in acted or {0})


def numbers_in(output: RequestedOutput, qubits: int) -> int:
    """The number of real numbers in the values of an output of a circuit with `qubits` qubits."""
    size = 1 << (qubits if output.qubits is None else len(output.qubits))
    match output.type:
        case OutputType.ENTROPY:
            return 1
        case OutputType.EXPECTATION_VALUES:
            return len(output.observables) * (2 if output.variance else 1)
        case OutputType.DENSITY_MATRIX | OutputType.UNITARY:
            size *= size
    return 2 * size if output.type in COMPLEX else size


def require_cut(output: RequestedOutput, qubits: int, *, averaged: bool = False) -> None:
    """Compare the cut of an entropy with what can be computed; the state is `averaged` over outcomes, or pure.

    Raises:
        ProgramTooLarge: it separates too many qubits from as many others.
    """
    part = qubits if output.qubits is None else len(output.qubits)
    if output.type is not OutputType.ENTROPY:
        return
    if averaged and part > MAX_CUT_QUBITS:
        raise ProgramTooLarge(
            f"the entropy of {part} qubits in an averaged state is not computed: ask for at most {MAX_CUT_QUBITS}"
        )
    if not averaged and min(part, qubits - part) > MAX_CUT_QUBITS:
        raise ProgramTooLarge(
            f"the entropy of {part} qubits with {qubits - part} others is not computed: "
            f"one of the two must have at most {MAX_CUT_QUBITS} qubits"
        )


def value_of(output: RequestedOutput, states: Any, positions: Mapping[int, int], qubits: Sequence[int]) -> Any:
    """The value of an output other than `unitary`: an array, or a number for an entropy.

    `states` are complex128 of shape (states, 2^n): pure states whose squares are their probabilities. `qubits` are
    those of the output, and `positions` has the bit of an index for each of a program's qubits that a state has.
    """
    match output.type:
        case OutputType.STATEVECTOR:
            return _amplitudes(states, [positions[qubit] for qubit in qubits])
        case OutputType.EXPECTATION_VALUES:
            letters = [positions.get(qubit) for qubit in qubits]
            return expectation_values(output.observables, letters, states, variance=output.variance)
    kept = _kept_first(states, [positions[qubit] for qubit in qubits])
    match output.type:
        case OutputType.PROBABILITIES:
            return (np.abs(kept) ** 2).sum(axis=1)
        case OutputType.DENSITY_MATRIX:
            return kept @ kept.conj().T
        case _:
            return _entropy(kept)


def as_values(array: Any) -> Any:
    """Nested lists of numbers, in which a complex number is a pair of real and imaginary part."""
    array = np.asarray(array)
    if np.iscomplexobj(array):
        array = np.stack((array.real, array.imag), axis=-1)
    return array.tolist()


def _amplitudes(states: Any, qubits: Sequence[int]) -> Any:
    """The amplitudes of one state by its qubits in this order; all others, of a device, have a state of their own.

    Where the others are 0 the global phase is that of the state, otherwise any.

    Raises:
        SimulationFailed: they are entangled with the qubits.
    """
    if 1 << len(qubits) == states.shape[1] and list(qubits) == sorted(qubits):
        return states[0]
    kept = _kept_first(states, qubits)
    if np.abs(kept[:, 1:]).max(initial=0) <= _ROUNDING:
        return kept[:, 0]
    norms = np.linalg.norm(kept, axis=0)
    found = kept[:, norms.argmax()] / norms.max()
    if np.abs(kept - np.outer(found, found.conj() @ kept)).max() > _ROUNDING:
        raise SimulationFailed("a qubit of the device that is none of the program's is entangled with them at its end")
    return found


def _kept_first(states: Any, qubits: Sequence[int]) -> Any:
    """The amplitudes as a matrix: a row for each value of these qubits, a column for each of the others and state."""
    total = states.shape[1].bit_length() - 1
    # Axis 0 is that of the states, and axis 1 the most significant bit of an index.
    axes = [total - qubit for qubit in reversed(qubits)]
    others = [axis for axis in range(total + 1) if axis not in set(axes)]
    return states.reshape((len(states),) + (2,) * total).transpose(axes + others).reshape(1 << len(qubits), -1)


def _entropy(matrix: Any) -> float:
    """The entropy, in bits, of the squares of the Schmidt coefficients."""
    shares = np.linalg.svd(matrix, compute_uv=False) ** 2
    shares = shares[shares > 0]
    return abs(float(-(shares * np.log2(shares)).sum()))

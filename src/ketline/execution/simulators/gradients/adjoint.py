"""Adjoint differentiation: the derivatives by all angles from one pass forward over the gates and one backward.

Each pass backward undoes gates on the state and on the state times an observable, and reads at each gate with an open
angle what its generator gives between the two. Source: T. Jones and J. Gacon, arXiv:2009.02823.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ketline.execution.circuit.derivatives.slopes import SlopedSteps
from ketline.execution.circuit.observables.pauli_images import PauliImage
from ketline.execution.circuit.operations import Step
from ketline.execution.simulators.gradients.generators import Generator, generator_of, matrix_of
from ketline.execution.simulators.gradients.inverses import inverse_of
from ketline.execution.simulators.gradients.overlaps import slope_of, transition


class MutableState(Protocol):
    """A state that gates are applied to; amplitudes are complex128, bit j of an index for qubit j."""

    def load(self, amplitudes: Any) -> None: ...

    def apply(self, steps: Sequence[Step]) -> None: ...

    def amplitudes(self) -> Any: ...


class AngleGradients(NamedTuple):
    """Expectation values, and the derivative of each by each angle: float64 of shape (observables, angles)."""

    values: Sequence[float]
    slopes: Any


def adjoint_gradients(
    sloped: SlopedSteps,
    qubits: int,
    images: Sequence[PauliImage],
    new_state: Callable[[int], MutableState],
    batch_size: int,
) -> AngleGradients:
    """The expectation values of observables after these steps, and their derivatives by the angles.

    `new_state` gives a state whose qubits are all 0. Observables are differentiated in batches of
    `batch_size`: each of a batch takes a state, and its amplitudes once more.
    """
    generators = [generator_of(sloped.steps[angle.step], angle.place) for angle in sloped.angles]
    state = new_state(qubits)
    state.apply(sloped.steps)
    final = state.amplitudes()
    values, rows = [], []
    for start in range(0, len(images), batch_size):
        states = [state if not start else _loaded(new_state(qubits), final)]
        for image in images[start : start + batch_size]:
            turned = image.of(final)
            values.append(float(np.real(np.vdot(final, turned))))
            states.append(_loaded(new_state(qubits), turned))
        rows.append(_Backward(sloped, generators, states).slopes())
    return AngleGradients(values, np.vstack(rows))


def _loaded(state: MutableState, amplitudes: Any) -> MutableState:
    state.load(amplitudes)
    return state


class _Backward:
    """The pass backward: the first of `states` is that after all steps, the others are it times each observable.

    Gates are undone only when the next angle's gate shares a qubit with them: others make no difference to it. What
    was read of one qubit is turned back with the gates on that qubit alone.
    """

    def __init__(self, sloped: SlopedSteps, generators: Sequence[Generator], states: Sequence[MutableState]) -> None:
        self._sloped = sloped
        self._generators = generators
        self._states = states
        self._pending: list[Step] = []
        self._touched: set[int] = set()
        self._ket: Any = None
        self._bras: Sequence[Any] = ()
        self._of_qubit: dict[int, Sequence[Any]] = {}

    def slopes(self) -> Any:
        """The derivatives, of shape (observables, angles)."""
        found = np.zeros((len(self._states) - 1, len(self._generators)))
        number = len(self._generators)
        for position in range(len(self._sloped.steps) - 1, -1, -1):
            if not number:
                break
            first = number
            while first and self._sloped.angles[first - 1].step == position:
                first -= 1
            if first < number:
                generators = self._generators[first:number]
                overlaps = self._overlaps_at(self._sloped.steps[position][1], generators[0])
                found[:, first:number] = [[slope_of(one, overlap) for one in generators] for overlap in overlaps]
            number = first
            self._undo(position)
        return found

    def _overlaps_at(self, qubits: Sequence[int], generator: Generator) -> Sequence[Any]:
        """The overlap of each state with the first, on the qubits of a gate that has just been applied."""
        if len(qubits) > 1:
            return self._read(qubits, generator)
        if (known := self._of_qubit.get(qubits[0])) is None:
            known = self._of_qubit[qubits[0]] = self._read(qubits, generator)
        return known

    def _read(self, qubits: Sequence[int], generator: Generator) -> Sequence[Any]:
        if self._ket is None or not self._touched.isdisjoint(qubits):
            for state in self._states:
                state.apply(self._pending)
            self._pending, self._touched = [], set()
            self._ket, self._bras = None, ()  # before there are others
            self._ket, *self._bras = (state.amplitudes() for state in self._states)
            for bra in self._bras:
                np.conjugate(bra, out=bra)
        return [transition(bra, self._ket, generator.controls, generator.targets) for bra in self._bras]

    def _undo(self, position: int) -> None:
        step = self._sloped.steps[position]
        _, qubits, _, _, _ = step
        self._pending.append(inverse_of(step))
        self._touched.update(qubits)
        if len(qubits) == 1 and qubits[0] in self._of_qubit:
            matrix = matrix_of(step)
            turned = [matrix.T @ overlap @ matrix.conj() for overlap in self._of_qubit[qubits[0]]]
            self._of_qubit[qubits[0]] = turned
        else:
            for qubit in qubits:
                self._of_qubit.pop(qubit, None)

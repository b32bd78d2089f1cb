"""Executes the instructions of a flow on an ensemble, and adds up expectation values at its end. Used by `methods.py`.

Rows at the same instruction are one ensemble. Density matrices of equal bits are merged, so those that are behind go
first, and meet the others. Pure states are not: those that are ahead go first, so that few are held at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.simulators.branches.flow import Gates, Instruction, Jump, Measure, Reset, Store
from ketline.execution.simulators.channels import Misreading
from ketline.execution.simulators.ensembles.states import Ensemble

E = TypeVar("E", bound=Ensemble)


@dataclass(kw_only=True)
class Evolution(Generic[E]):
    """The evolution of an ensemble under the instructions of a flow.

    `live` has the bits that are read at each instruction or later, see `live_bits`. `check` is called with the bits of
    each row at the end, as one number, and raises where the program has no result for them. With `ahead_first` at most
    `most_rows` are executed at once; without, there may not be more.
    """

    flow: Sequence[Instruction]
    live: Sequence[int]
    apply: Callable[[E, Gates], None]
    misreadings: Mapping[int, Misreading] = field(default_factory=dict)
    before_measurement: Callable[[E, int], None] = lambda states, qubit: None
    after_reset: Callable[[E, int], None] = lambda states, qubit: None
    check: Callable[[int], object] | None = None
    ahead_first: bool = False
    most_rows: int = 1

    def values(self, start: E, sums: PauliSums) -> Sequence[float]:
        """The expectation values of sums of Pauli operators at the end of the flow.

        Raises:
            ProgramTooLarge: there are more states than fit.
        """
        total = np.zeros(len(sums))
        self._waiting = {0: start}
        while self._waiting:
            number, states = self._next()
            if number < len(self.flow):
                for target, going in self._executed(self.flow[number], number, states):
                    self._wait(target, going)
            else:
                self._check(states)
                total += states.values(sums)
        return [float(value) for value in total]

    def _next(self) -> tuple[int, E]:
        number = max(self._waiting) if self.ahead_first else min(self._waiting)
        states = self._waiting.pop(number)
        if self.ahead_first and len(states) > self.most_rows:
            self._waiting[number] = states.taken(slice(self.most_rows, None))
            states = states.taken(slice(self.most_rows))
        return number, states

    def _wait(self, number: int, states: E) -> None:
        if not len(states):
            return
        others = self._waiting.get(number)
        self._waiting[number] = states if others is None else others.joined(states).merged()

    def _executed(self, instruction: Instruction, number: int, states: E) -> Sequence[tuple[int, E]]:
        """The states after an instruction, with the number of that at which they continue."""
        match instruction:
            case Gates():
                self.apply(states, instruction)
            case Measure(qubit, bit):
                self.before_measurement(states, qubit)
                read = bit if self.live[number + 1] >> bit & 1 else None
                if read is not None:
                    self._require_room(2 * len(states))
                states = states.measured(qubit, read, self.misreadings.get(qubit))
            case Reset(qubit):
                states = states.reset(qubit)
                self.after_reset(states, qubit)
            case Store(bit, value):
                states.bits[:, bit] = value(states.bits)
            case Jump(unless, target):
                if unless is None:
                    return [(target, self._forgotten(states, target))]
                holds = np.asarray(unless(states.bits), dtype=np.bool_)
                divided = [(number + 1, holds), (target, ~holds)]
                return [(to, self._forgotten(states.taken(rows), to)) for to, rows in divided if rows.any()]
        if isinstance(instruction, (Measure, Store)):
            states = self._forgotten(states, number + 1)
        return [(number + 1, states)]

    def _require_room(self, rows: int) -> None:
        rows += sum(map(len, self._waiting.values()))
        if rows > self.most_rows and not self.ahead_first:
            raise ProgramTooLarge(
                f"the bits on which the program acts have more values at once than the {self.most_rows} of which the "
                "density matrices fit into the memory: give 'shots' or 'precision' to estimate the values"
            )

    def _forgotten(self, states: E, number: int) -> E:
        """The states with only the bits that are still read, those with equal ones merged."""
        if not states.bits.any():
            return states.merged()
        live = self.live[number]
        dead = [bit for bit in np.flatnonzero(states.bits.any(axis=0)).tolist() if not live >> bit & 1]
        states.bits[:, dead] = False
        return states.merged()

    def _check(self, states: E) -> None:
        if self.check is not None:
            for row in states.bits:
                self.check(sum(1 << bit for bit in np.flatnonzero(row).tolist()))

"""Executes the instructions of a flow for all shots, one history of outcomes after another, on one state.

Shots with the same outcomes so far share the state. Where a measurement divides them, those of the rarer outcome
continue, and the state of the others is stored. The stored parts at least halve with each, so there are never more than
the logarithm of the number of shots. The method `statevector` calls it for circuits that are too large for rows.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketline.domain.tasks.seeds import derived_seed
from ketline.execution.circuit.operations import Step
from ketline.execution.simulators.branches.branching import BranchingCircuit, most_divisions
from ketline.execution.simulators.branches.flow import Gates, Instruction, Jump, Measure, Reset, Store
from ketline.execution.simulators.sampling import drawn_outcomes, numbers_of, probability_to_draw
from ketline.execution.simulators.states.lightning_state import Lightning


@dataclass(slots=True)
class _Stored:
    """Shots that continue later at an instruction: their bits, and their state, in which one qubit is `value`.

    `half` has the amplitudes of that value, complex128 of shape (2^(n-1-qubit), 2^qubit), whose squares add up to
    `weight`.
    """

    number: int
    shots: int
    bits: Any
    half: Any
    weight: float
    qubit: int
    value: int


def outcomes_of_histories(
    circuit: BranchingCircuit, shots: int, seed: int, lightning: Lightning, most_stored: int
) -> Mapping[int, int]:
    """How often each outcome occurs among independent shots; bit n of an outcome is the circuit's n-th.

    At most `most_stored` halves of states are held beside the state, for which the shots are run in parts if that is
    necessary.

    Raises:
        MemoryLimitExceeded: there is no room for them.
    """
    histories = _Histories(circuit, np.random.default_rng(derived_seed(seed, "branches", bits=64)))
    # One half is stored for each division at most, and what is stored has at least half of the shots that there were.
    most_shots = shots if most_divisions(circuit, shots) <= most_stored else 1 << most_stored
    for first in range(0, shots, most_shots):
        histories.run(min(most_shots, shots - first), lightning)
    return histories.counts


class _Histories:
    def __init__(self, circuit: BranchingCircuit, random: np.random.Generator) -> None:
        self.counts: Counter[int] = Counter()
        self._circuit = circuit
        self._random = random
        self._stored: list[_Stored] = []

    def run(self, shots: int, lightning: Lightning) -> None:
        self._state = lightning.final_state((), self._circuit.qubits)
        self._bits = np.zeros((1, self._circuit.bits), dtype=np.bool_)
        self._shots = shots
        self._go_on(0)
        while self._stored:
            self._go_on(self._restore(self._stored.pop()))

    def _go_on(self, number: int) -> None:
        """Execute from an instruction on to the end."""
        flow = self._circuit.flow
        while number < len(flow):
            number = self._executed(flow[number], number)
        self._count()

    def _executed(self, instruction: Instruction, number: int) -> int:
        """The instruction after this one."""
        match instruction:
            case Gates(steps):
                self._state.apply(steps)
            case Measure(qubit, bit):
                self._measure(qubit, bit, number + 1)
            case Reset(qubit):
                self._measure(qubit, None, number + 1)
            case Store(bit, value):
                self._bits[:, bit] = value(self._bits)
            case Jump(unless, target):
                if unless is None or not unless(self._bits)[0]:
                    return target
        return number + 1

    def _measure(self, qubit: int, bit: int | None, then: int) -> None:
        """Divide the shots by the outcomes of a qubit, which `bit` takes; without a bit, turn the qubit to 0."""
        weights = self._state.probabilities([qubit])
        one = probability_to_draw(*weights)
        ones = int(self._random.binomial(self._shots, one))
        outcome = int(ones == self._shots or 0 < ones <= self._shots - ones)
        if 0 < one < 1:
            self._divide(qubit, bit, outcome, ones if outcome == 0 else self._shots - ones, weights, then)
        elif bit is None and outcome:
            self._state.apply([_flip(qubit)])
        if bit is not None:
            self._bits[:, bit] = outcome

    def _divide(self, qubit: int, bit: int | None, outcome: int, others: int, weights: Any, then: int) -> None:
        """Go on with an outcome; the `others`, shots of the other one, are stored."""
        other = 1 - outcome
        amplitudes = self._state.amplitudes()
        halves = amplitudes.reshape(-1, 2, 1 << qubit)
        if others:
            bits = self._bits.copy()
            if bit is not None:
                bits[:, bit] = other
            value = 0 if bit is None else other
            half = halves[:, other].copy()
            self._stored.append(_Stored(then, others, bits, half, float(weights[other]), qubit, value))
            self._shots -= others
        value = 0 if bit is None else outcome
        self._load(amplitudes, halves[:, outcome], float(weights[outcome]), qubit, value)

    def _restore(self, stored: _Stored) -> int:
        """Go back to shots that were stored; returns the instruction at which they continue."""
        self._bits, self._shots = stored.bits, stored.shots
        amplitudes = np.empty(1 << self._circuit.qubits, dtype=np.complex128)
        self._load(amplitudes, stored.half, stored.weight, stored.qubit, stored.value)
        return stored.number

    def _load(self, amplitudes: Any, half: Any, weight: float, qubit: int, value: int) -> None:
        """Make half of a state, normalised, the state in which a qubit has a value; `amplitudes` are overwritten."""
        halves = amplitudes.reshape(-1, 2, 1 << qubit)
        np.multiply(half, weight**-0.5, out=halves[:, value])
        halves[:, 1 - value] = 0
        self._state.load(amplitudes)

    def _count(self) -> None:
        """Count the shots at the end of the circuit, by the measurements there."""
        final = self._circuit.final
        self._bits[:, [bit for _, bit in final]] = False
        before = int(numbers_of(self._bits)[0])
        if not final:
            self.counts[before] += self._shots
            return
        outcomes, times = drawn_outcomes(self._state.probabilities, final, self._shots, self._random)
        for outcome, number in zip(outcomes.tolist(), times, strict=True):
            self.counts[before | outcome] += number


def _flip(qubit: int) -> Step:
    return "x", [qubit], (), (), None

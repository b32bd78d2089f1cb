"""Runs a program that measures, resets, branches or has errors before its end on mixtures of states.

The result is that of a density matrix, exactly, at the cost of a statevector for each outcome and error where there are
few.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.circuit.bit_use import bits_used
from ketline.execution.circuit.named_places import PLACE
from ketline.execution.circuit.operations import LOOPS_AND_BRANCHES, Step, matrix_of
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.branches.conditions import NotVectorized
from ketline.execution.simulators.branches.flow import Gates, Instruction, Jump, Measure, Reset, Store, flow_of
from ketline.execution.simulators.channels.channel import Channel, operators_of
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors, plain_call
from ketline.execution.simulators.saving.averaged_method import COPIES
from ketline.execution.simulators.saving.mixture import Mixture, applied
from ketline.execution.simulators.sizes import readable


def averaged_states(
    engines: Engines, program: Program, places: Collection[str | None], errors: CircuitErrors | None
) -> Mapping[str | None, Any]:
    """The mixture of the states at named places, None for the end: complex128 of shape (states, 2^n).

    Raises:
        ProgramInvalid: in some shots an expression has no value.
        ProgramUnsupported: the program computes on bits what is not evaluated here.
        ProgramTooLarge: there are too many states for the memory.
    """
    lowered = program.lowered
    run = _Run(engines, lowered, errors)
    found: dict[str | None, Any] = {}
    mixture = run.start()
    segment: list[Step] = []
    for step in lowered.steps:
        if step[0] != PLACE:
            segment.append(step)
            continue
        mixture, segment = run.after(segment, mixture), []
        found[step[4].label] = mixture.states
    mixture = run.after(segment, mixture)
    if None in places:
        found[None] = mixture.states
    if program.outcome is not None:
        for bits in np.unique(mixture.bits, axis=0):
            program.outcome(int("".join("01"[int(bit)] for bit in bits[::-1]) or "0", 2))
    return found


class _Run:
    """Executes the instructions of a circuit; those that are at the same instruction are one mixture."""

    def __init__(self, engines: Engines, lowered: Lowered, errors: CircuitErrors | None) -> None:
        self._engines = engines
        self._channels = {} if errors is None else errors.channels
        self._call_of = plain_call if errors is None else errors.call_of
        self._misreadings = {} if errors is None else errors.misreadings
        self._operators: dict[Channel, Sequence[Any]] = {}
        self._lowered = lowered
        self._bits = lowered.circuit.clbits
        numbers = {bit: number for number, bit in enumerate(self._bits)}
        self._read: set[int] = set()
        for step in lowered.steps:
            if step[0] in LOOPS_AND_BRANCHES or step[0] == "store":
                self._read |= bits_used(step, numbers)

    def start(self) -> Mixture:
        states = np.zeros((1, 1 << self._lowered.num_qubits), dtype=np.complex128)
        states[0, 0] = 1
        return Mixture(states, np.zeros((1, len(self._bits)), dtype=np.bool_))

    def after(self, steps: Sequence[Step], mixture: Mixture) -> Mixture:
        """The mixture after some operations, which no jump leaves."""
        try:
            flow = flow_of(steps, self._lowered.num_qubits, self._bits)
        except NotVectorized as error:
            raise ProgramUnsupported(
                "states of a program that computes on bits in this way are not averaged: ask for counts"
            ) from error
        waiting: dict[int, list[Mixture]] = {0: [mixture]}
        while True:
            number = min(waiting)
            first, *others = waiting.pop(number)
            mixture = (first.joined(others) if others else first).reduced()
            if not len(mixture.states):
                continue
            if number == len(flow):
                return mixture
            for target, going in self._executed(flow[number], number, mixture):
                waiting.setdefault(target, []).append(going)

    def _executed(self, instruction: Instruction, number: int, mixture: Mixture) -> Sequence[tuple[int, Mixture]]:
        """The mixtures after an instruction, with the number of that at which they continue."""
        match instruction:
            case Gates(steps):
                mixture = self._applied(steps, mixture)
            case Measure(qubit, bit):
                mixture = self._measured(self._disturbed(mixture, "measure", [qubit]), qubit, bit)
            case Reset(qubit):
                self._require_room(2 * len(mixture.states))
                mixture = self._disturbed(_reset(mixture, qubit), "reset", [qubit])
            case Store(bit, value):
                bits = mixture.bits.copy()
                bits[:, bit] = value(bits)
                mixture = Mixture(mixture.states, bits, mixture.many)
            case Jump(unless, target):
                return (
                    [(target, mixture)] if unless is None else _branched(unless(mixture.bits), number, target, mixture)
                )
        return [(number + 1, mixture)]

    def _measured(self, mixture: Mixture, qubit: int, bit: int) -> Mixture:
        """The mixture of both outcomes; of a bit that is read later also of what is read, if that may be wrong."""
        self._require_room(2 * len(mixture.states))
        parts = []
        for outcome, states in enumerate(mixture.divided(qubit)):
            if bit not in self._read:
                parts.append(Mixture(states, mixture.bits, mixture.many))
                continue
            wrong = self._misreadings[qubit][outcome] if qubit in self._misreadings else 0.0
            for read, weight in ((outcome, 1 - wrong), (1 - outcome, wrong)):
                bits = mixture.bits.copy()
                bits[:, bit] = read
                parts.append(Mixture(states * weight**0.5, bits, mixture.many))
        return parts[0].joined(parts[1:]).reduced()

    def _applied(self, steps: Sequence[Step], mixture: Mixture) -> Mixture:
        """The mixture after gates, each with its error."""
        waiting: list[Step] = []
        for step in steps:
            if step[0] != "id":
                waiting.append(step)
            name, qubits = self._call_of(step)
            if (name, qubits) in self._channels:
                mixture = Mixture(self._states_after(waiting, mixture.states), mixture.bits, mixture.many)
                mixture, waiting = self._disturbed(mixture, name, qubits), []
        return Mixture(self._states_after(waiting, mixture.states), mixture.bits, mixture.many)

    def _disturbed(self, mixture: Mixture, name: str, qubits: Sequence[int]) -> Mixture:
        """The mixture after the error of an operation, if it has one."""
        channel = self._channels.get((name, tuple(qubits)))
        if channel is None:
            return mixture
        operators = self._operators.get(channel)
        if operators is None:
            operators = self._operators[channel] = operators_of(channel.superoperator)
        self._require_room(len(operators) * len(mixture.states))
        return mixture.multiplied(operators, qubits)

    def _states_after(self, steps: Sequence[Step], states: Any) -> Any:
        """The states after gates: as one state whose highest qubits number them, or one gate after another."""
        count, size = states.shape
        above = (count - 1).bit_length()
        lightning = self._engines.lightning_in_memory(self._lowered.num_qubits + above)
        if lightning is None:
            for step in steps:
                states = applied(matrix_of(step), step[1], states)
            return states
        whole = states if count == 1 << above else np.zeros((1 << above, size), dtype=np.complex128)
        whole[:count] = states
        return lightning.applied(steps, whole.ravel()).reshape(-1, size)[:count]

    def _require_room(self, states: int) -> None:
        needed = COPIES * states * BYTES_PER_AMPLITUDE << self._lowered.num_qubits
        if needed > self._engines.memory_bytes:
            raise ProgramTooLarge(
                f"averaging over the outcomes takes {states} states of {self._lowered.num_qubits} qubits, "
                f"{readable(needed)}; the limit is {self._engines.memory_bytes >> 20} MiB: ask for counts"
            )


def _reset(mixture: Mixture, qubit: int) -> Mixture:
    zero, one = mixture.divided(qubit)
    halves = one.reshape(len(one), -1, 2, 1 << qubit)
    halves[:, :, 0], halves[:, :, 1] = halves[:, :, 1].copy(), 0
    return Mixture(zero, mixture.bits, mixture.many).joined([Mixture(one, mixture.bits)]).reduced()


def _branched(holds: Any, number: int, target: int, mixture: Mixture) -> Sequence[tuple[int, Mixture]]:
    found = [(number + 1, mixture.taken(holds)), (target, mixture.taken(~holds))]
    return [(at, part) for at, part in found if len(part.states)]

"""The method of circuits whose qubits do not all interact: each part has a method of its own, and shots are joined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import Counted
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.engines import Engines, key_of
from ketline.execution.simulators.methods.method import SimulationMethod, without_values
from ketline.execution.simulators.sampling import generator, shown

# Seconds, see `costs.py`.
_PER_JOINED_SHOT = 4.5e-7


@dataclass(frozen=True, slots=True)
class Part:
    """Some qubits of a circuit, and the method that simulates them."""

    lowered: Lowered
    method: SimulationMethod


class DisconnectedParts:
    """Parts of one circuit that measures at its end. It is chosen, and no task can request it.

    It is called as the method of its largest part is. Outcomes of the parts are independent: shot n of the circuit is
    the n-th outcome of each part, in an order that is drawn for each.
    """

    gives_values = False

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._largest = max(parts, key=lambda part: part.lowered.num_qubits)

    @property
    def name(self) -> Method:
        return self._largest.method.name

    @property
    def uses_threads(self) -> bool:
        return any(part.method.uses_threads for part in self._parts)

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        for part in self._parts:
            part.method.require(part.lowered, memory_bytes)

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        """The circuits of the parts, in a list."""
        return [part.method.circuit(part.lowered, max_operations) for part in self._parts]

    def state_bytes(self, lowered: Lowered) -> int | None:
        """That of the part that takes most: one state is held at a time."""
        known = [part.method.state_bytes(part.lowered) for part in self._parts]
        sizes = [size for size in known if size is not None]
        return max(sizes) if len(sizes) == len(known) else None

    def bytes_needed(self, lowered: Lowered) -> int:
        return max(part.method.bytes_needed(part.lowered) for part in self._parts)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float | None:
        known = [part.method.seconds(part.lowered, shots, limits) for part in self._parts]
        seconds = [each for each in known if each is not None]
        if len(seconds) < len(known):
            return None
        # The fixed costs of a task arise once, not for each part.
        return sum(seconds) - (len(known) - 1) * FIXED + len(known) * shots * _PER_JOINED_SHOT

    def tried(self, engines: Engines, lowered: Lowered) -> Self:
        return type(self)([replace(part, method=part.method.tried(engines, part.lowered)) for part in self._parts])

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        return self._largest.method.engine(self._largest.lowered, shots, engines)

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        joint, shot_outcomes = [0], np.zeros(shots, dtype=np.int64)
        for number, part in enumerate(self._parts):
            seed = None if options.seed is None else derived_seed(options.seed, "part", number)
            drawn = replace(options, seed=seed, memory=False)
            alone = Program(part.lowered, (program.lowered.num_clbits,), (None,), program.front_end, 0)
            counts, _ = part.method.run(engines, alone, shots, drawn, likely_repeated=False)
            order = None if options.seed is None else derived_seed(options.seed, "order of a part", number)
            joint, shot_outcomes = _joined(joint, shot_outcomes, counts, generator(order))
        found = np.bincount(shot_outcomes, minlength=len(joint)).tolist()
        key = key_of(program)
        total, _ = shown(np.array(joint, dtype=object), found, key, None)
        return total, [key(joint[outcome]) for outcome in shot_outcomes] if options.memory else None

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        raise without_values(self.name)


def _joined(
    joint: Sequence[int], shot_outcomes: Any, counts: dict[str, int], random: np.random.Generator
) -> tuple[list[int], Any]:
    """The different outcomes so far, and for each shot the number of its own, with those of one more part."""
    outcomes = [int(key, 2) for key in counts]
    drawn = random.permutation(np.repeat(np.arange(len(counts)), list(counts.values())))
    pairs, numbers = np.unique(shot_outcomes * len(counts) + drawn, return_inverse=True)
    return [joint[pair // len(counts)] | outcomes[pair % len(counts)] for pair in pairs.tolist()], numbers

"""Executes the instructions of a flow for all shots. Used by the method `statevector`.

Rows at the same instruction become one batch. The lowest instruction is always next, so rows that took different
branches meet again where the branches join.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ketline.domain.tasks.seeds import derived_seed
from ketline.execution.simulators.branches.branching import BranchingCircuit, most_divisions
from ketline.execution.simulators.branches.flow import Gates, Instruction, Jump, Measure, Reset, Store
from ketline.execution.simulators.branches.rows import Rows
from ketline.execution.simulators.states.lightning_state import Lightning


def outcomes_of_shots(
    circuit: BranchingCircuit, shots: int, seed: int, lightning: Lightning, most_rows: int
) -> Mapping[int, int]:
    """How often each outcome occurs among independent shots; bit n of an outcome is the circuit's n-th.

    At most `most_rows` states are held at once. If there can be more, the shots are run in parts of this size; whether
    there are more may depend on the outcomes, and outcomes must not decide which shots count.

    Raises:
        MemoryLimitExceeded: there is no room for them.
    """
    random = np.random.default_rng(derived_seed(seed, "branches", bits=64))
    counts: Counter[int] = Counter()
    divisions = min(most_divisions(circuit, shots), shots.bit_length())
    part = shots if 1 << divisions <= most_rows else min(shots, most_rows)
    for first in range(0, shots, part):
        _run(circuit, min(part, shots - first), random, lightning, counts)
    return counts


def _run(
    circuit: BranchingCircuit,
    shots: int,
    random: np.random.Generator,
    lightning: Lightning,
    counts: Counter[int],
) -> None:
    waiting: dict[int, list[Rows]] = {0: [Rows.start(circuit.qubits, circuit.bits, shots)]}
    while waiting:
        number = min(waiting)
        first, *others = waiting.pop(number)
        rows = first.joined(others) if others else first
        if number == len(circuit.flow):
            for outcome, times in rows.drawn(circuit.final, random):
                counts[outcome] += times
            continue
        for target, going in _executed(circuit.flow[number], number, rows, random, lightning):
            waiting.setdefault(target, []).append(going)


def _executed(
    instruction: Instruction, number: int, rows: Rows, random: np.random.Generator, lightning: Lightning
) -> Sequence[tuple[int, Rows]]:
    """The rows after an instruction, with the number of that at which they continue."""
    match instruction:
        case Gates(steps):
            rows.apply(steps, lightning)
        case Measure(qubit, bit):
            outcomes = rows.measure(qubit, random)
            rows.bits[:, bit] = outcomes
        case Reset(qubit):
            rows.reset(qubit, random)
        case Store(bit, value):
            rows.bits[:, bit] = value(rows.bits)
        case Jump(unless, target):
            if unless is None:
                return [(target, rows)]
            return _divided(unless(rows.bits), number + 1, target, rows)
    return [(number + 1, rows)]


def _divided(holds: Any, then: int, otherwise: int, rows: Rows) -> Sequence[tuple[int, Rows]]:
    if holds.all():
        return [(then, rows)]
    if not holds.any():
        return [(otherwise, rows)]
    return [(then, rows.taken(holds)), (otherwise, rows.taken(~holds))]

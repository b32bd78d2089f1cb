"""The method `stim`: samples Clifford circuits without branches; its cost per shot grows with their length only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from ketline.domain.circuits.gates import GATE_TABLE, StimSteps, applied_by
from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.operations import Step
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import Counted, KeyFormat, counts_of
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.engines import Engines, key_of
from ketline.execution.simulators.methods.method import require_gates, without_values
from ketline.execution.simulators.methods.stabilizer import tableau_bytes
from ketline.execution.simulators.sampling import numbers_of

# Up to a global phase.
_STEPS: Mapping[str, StimSteps] = {
    **{gate.name: gate.stim for gate in GATE_TABLE if Method.STIM in gate.methods},
    "measure": [("M", (0,))],
    "reset": [("R", (0,))],
}
_BATCH_BITS = 1 << 26
# Seconds, see `costs.py`.
_PER_TRANSLATION = 6e-7
_PER_OPERATION = 1e-10
_PER_OUTCOME = 2.5e-7
# From this number of bits on, outcomes are Python's own integers, which take time for each bit.
_WIDE_FROM_BITS = 65
_PER_WIDE_BIT = 9e-9


class Stim:
    """Samples Clifford circuits without branches by Pauli frames."""

    name = Method.STIM
    uses_threads = False
    gives_values = False

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        require_gates(lowered, self.name, applied_by(self.name))

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        return lowered.circuit

    def state_bytes(self, lowered: Lowered) -> int:
        return tableau_bytes(lowered.num_qubits)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        operations, bits = sum(lowered.operations.values()), lowered.num_clbits
        outcome = _PER_OUTCOME + (_PER_WIDE_BIT * bits if bits >= _WIDE_FROM_BITS else 0)
        return FIXED + operations * _PER_TRANSLATION + shots * (operations * _PER_OPERATION + outcome)

    def tried(self, engines: Engines, lowered: Lowered) -> Self:
        return self

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        return Engine.STIM

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        return sample(program.lowered, shots, options.seed, key_of(program), memory=options.memory)

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        raise without_values(self.name)


def sample(
    lowered: Lowered, shots: int, seed: int | None, key: KeyFormat, *, memory: bool
) -> tuple[dict[str, int], Sequence[str] | None]:
    """Counts in the order of their keys, and with `memory` each shot's outcome, in order.

    The same seed gives the same counts with the same version of stim on machines of the same vector width.
    """
    return drawn(lowered, *translated(lowered, stim_lines), shots, seed, key, memory=memory)


def drawn(
    lowered: Lowered,
    text: str,
    records: Mapping[int, int],
    shots: int,
    seed: int | None,
    key: KeyFormat,
    *,
    memory: bool,
    misread: Callable[[Any], None] | None = None,
) -> Counted:
    """As `sample`, for a circuit in stim's text; `misread` changes the records, an array with a row for each shot."""
    import stim

    drawn_with = None if seed is None else derived_seed(seed, "stim", bits=63)
    sampler = stim.Circuit(text).compile_sampler(seed=drawn_with)
    bits, columns = np.array(list(records)), np.array(list(records.values()))
    batch = max(1, _BATCH_BITS // lowered.operations["measure"])
    found, times, order = [], [], []
    for start in range(0, shots, batch):
        recorded = sampler.sample(min(batch, shots - start))
        if misread is not None:
            misread(recorded)
        outcomes = np.zeros((len(recorded), lowered.num_clbits), dtype=np.bool_)
        outcomes[:, bits] = recorded[:, columns]
        numbers = numbers_of(outcomes)
        of_batch = np.unique(numbers, return_counts=True)
        found.append(of_batch[0])
        times.append(of_batch[1])
        if memory:
            order.append(numbers)
    numbers, places = np.unique(np.concatenate(found), return_inverse=True)
    keys = key.keys(numbers)
    counts = np.bincount(places, np.concatenate(times)).astype(np.int64)
    total = counts_of(zip(keys, counts.tolist(), strict=True))
    return total, [keys[place] for place in np.searchsorted(numbers, np.concatenate(order))] if memory else None


def stim_steps(name: str) -> StimSteps:
    """The operations of stim that make one of Aer's: their names with the places of the operands that each takes."""
    return _STEPS[name]


def stim_lines(step: Step) -> list[str]:
    """An operation as lines of stim's text."""
    name, qubits, _, _, _ = step
    return [f"{gate} {' '.join([str(qubits[operand]) for operand in operands])}" for gate, operands in _STEPS[name]]


def translated(lowered: Lowered, lines_of: Callable[[Step], list[str]]) -> tuple[str, Mapping[int, int]]:
    """The circuit as a text of stim's, and for each declared bit that is written the last record that goes to it."""
    lines: list[str] = []
    records: dict[int, int] = {}
    measurements = 0
    for step in lowered.steps:
        lines += lines_of(step)
        if step[0] == "measure":
            records[step[2][0]] = measurements
            measurements += 1
    return "\n".join(lines), records

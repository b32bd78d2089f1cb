"""Samples Clifford circuits without branches through stim, whose cost per shot grows with the circuit's length only."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ketline.domain.gates import GATE_TABLE, StimSteps, applied_by
from ketline.domain.seeds import derived_seed
from ketline.domain.spec import Method, RunOptions
from ketline.execution.circuit.lowering import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.bitstrings import counts_of
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.engine import AerEngine, Counted, key_of
from ketline.execution.simulators.methods.method import require_gates, without_values
from ketline.execution.simulators.methods.stabilizer import tableau_bytes

# Up to a global phase.
_STEPS: Mapping[str, StimSteps] = {
    **{gate.name: gate.stim for gate in GATE_TABLE if Method.STIM in gate.methods},
    "measure": [("M", (0,))],
    "reset": [("R", (0,))],
}
_BATCH_BITS = 1 << 26
_BYTES_OF_A_WORD = 8
_PER_TRANSLATION = 2e-6
_PER_OPERATION = 2e-9
_PER_OUTCOME = 1e-6


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
        return tableau_bytes(lowered.circuit.num_qubits)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int) -> float:
        operations = sum(lowered.operations.values())
        sampling = shots * (operations * _PER_OPERATION + _PER_OUTCOME)
        return FIXED + operations * _PER_TRANSLATION + sampling

    def run(
        self, engine: AerEngine, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        return sample(program.lowered, shots, options.seed, key_of(program), memory=options.memory)

    def expect(self, engine: AerEngine, program: Program, operators: Sequence[Any]) -> Sequence[float]:
        raise without_values(self.name)


def sample(
    lowered: Lowered, shots: int, seed: int | None, key: Callable[[int], str], *, memory: bool
) -> tuple[dict[str, int], Sequence[str] | None]:
    """Counts in the order of their keys, and with `memory` each shot's outcome, in order.

    The same seed gives the same counts with the same version of stim on machines of the same vector width.
    """
    import stim

    text, records = _translate(lowered)
    drawn_with = None if seed is None else derived_seed(seed, "stim", bits=63)
    sampler = stim.Circuit(text).compile_sampler(seed=drawn_with)
    bits, columns = np.array(list(records)), np.array(list(records.values()))
    batch = max(1, _BATCH_BITS // lowered.operations["measure"])
    counts: Counter[int] = Counter()
    order: list[int] = []
    for start in range(0, shots, batch):
        drawn = sampler.sample(min(batch, shots - start))
        outcomes = np.zeros((len(drawn), lowered.circuit.num_clbits), dtype=np.bool_)
        outcomes[:, bits] = drawn[:, columns]
        numbers = numbers_of(outcomes)
        found, times = np.unique(numbers, return_counts=True)
        counts.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
        if memory:
            order += numbers.tolist()
    names = {number: key(number) for number in counts}
    total = counts_of((names[number], count) for number, count in counts.items())
    return total, [names[number] for number in order] if memory else None


def numbers_of(outcomes: Any) -> Any:
    """The number of each row of bits, bit n from column n: uint64 where they are wide enough, else Python's own."""
    packed = np.packbits(outcomes, axis=1, bitorder="little")
    if packed.shape[1] > _BYTES_OF_A_WORD:
        return np.array([int.from_bytes(row.tobytes(), "little") for row in packed], dtype=object)
    words = np.zeros((len(packed), _BYTES_OF_A_WORD), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    return words.view("<u8").ravel()


def steps_of(name: str) -> StimSteps:
    """What an operation of Aer's is in stim: names there with the operands each takes, by their place."""
    return _STEPS[name]


def _translate(lowered: Lowered) -> tuple[str, Mapping[int, int]]:
    """The circuit as a text of stim's, and for each declared bit that is written the last record that goes to it."""
    lines: list[str] = []
    records: dict[int, int] = {}
    measurements = 0
    for name, qubits, bits, _ in lowered.steps:
        for step, operands in _STEPS[name]:
            lines.append(f"{step} {' '.join([str(qubits[operand]) for operand in operands])}")
        if name == "measure":
            records[bits[0]] = measurements
            measurements += 1
    return "\n".join(lines), records

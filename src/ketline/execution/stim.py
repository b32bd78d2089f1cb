"""Samples Clifford circuits without branches through stim, whose cost per shot grows with the circuit's length only."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ketline.execution.keys import counts_of
from ketline.execution.lower import Lowered

# Up to a global phase. ECR as in Qiskit's `ECRGate`: checked against its matrix by a test.
_STEPS: Mapping[str, Sequence[tuple[str, Sequence[int]]]] = {
    "cx": [("CX", (0, 1))],
    "cy": [("CY", (0, 1))],
    "cz": [("CZ", (0, 1))],
    "ecr": [("S", (0,)), ("SQRT_X", (1,)), ("CX", (0, 1)), ("X", (0,))],
    "h": [("H", (0,))],
    "measure": [("M", (0,))],
    "reset": [("R", (0,))],
    "s": [("S", (0,))],
    "sdg": [("S_DAG", (0,))],
    "swap": [("SWAP", (0, 1))],
    "sx": [("SQRT_X", (0,))],
    "sxdg": [("SQRT_X_DAG", (0,))],
    "x": [("X", (0,))],
    "y": [("Y", (0,))],
    "z": [("Z", (0,))],
}
_BATCH_BITS = 1 << 26


def sample(
    lowered: Lowered, shots: int, seed: int | None, key: Callable[[int], str], *, memory: bool
) -> tuple[dict[str, int], Sequence[str] | None]:
    """Counts in the order of their keys, and with `memory` each shot's outcome, in order.

    The same seed gives the same counts with the same version of stim on machines of the same vector width.
    """
    import stim

    circuit, records = _translate(stim.Circuit(), lowered)
    sampler = circuit.compile_sampler(seed=seed)
    bits, columns = np.array(list(records)), np.array(list(records.values()))
    batch = max(1, _BATCH_BITS // lowered.operations["measure"])
    counts: Counter[bytes] = Counter()
    order: list[bytes] = []
    for start in range(0, shots, batch):
        drawn = sampler.sample(min(batch, shots - start))
        outcomes = np.zeros((len(drawn), lowered.circuit.num_clbits), dtype=np.bool_)
        outcomes[:, bits] = drawn[:, columns]
        texts = [row.tobytes() for row in np.packbits(outcomes, axis=1, bitorder="little")]
        counts.update(texts)
        if memory:
            order += texts
    names = {text: key(int.from_bytes(text, "little")) for text in counts}
    found = counts_of((names[text], count) for text, count in counts.items())
    return found, [names[text] for text in order] if memory else None


def steps_of(name: str) -> Sequence[tuple[str, Sequence[int]]]:
    """What an operation of Aer's is in stim: names there with the operands each takes, by their place."""
    return _STEPS[name]


def _translate(target: Any, lowered: Lowered) -> tuple[Any, Mapping[int, int]]:
    """The circuit in stim's gates, and for each declared bit that is written the last record that goes to it."""
    circuit = lowered.circuit
    place = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    bit = {clbit: number for number, clbit in enumerate(circuit.clbits)}
    records: dict[int, int] = {}
    measurements = 0
    for instruction in circuit.data:
        qubits = [place[qubit] for qubit in instruction.qubits]
        for name, operands in steps_of(instruction.operation.name):
            target.append(name, [qubits[operand] for operand in operands])
        if instruction.operation.name == "measure":
            records[bit[instruction.clbits[0]]] = measurements
            measurements += 1
    return target, records

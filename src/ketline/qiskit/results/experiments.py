"""The circuits in results: made of a job's circuits, or of the metadata of its tasks.

Aer's simulator gives the same headers and the same numbers for outcomes: bit k of a number is classical bit k.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from qiskit.result.models import ExperimentResult, ExperimentResultData

from ketline.client.models import Output
from ketline.qiskit.results.saved_data import SavedData


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A circuit of a job: its name, its numbers of qubits and bits, and the bits of each register by index.

    `saved` is what it saves of its state.
    """

    name: str
    qubits: int
    bits: int
    registers: Sequence[tuple[str, Sequence[int]]]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    saved: Sequence[SavedData] = ()

    def header(self) -> dict[str, Any]:
        """The header of the circuit's result."""
        return {
            "name": self.name,
            "creg_sizes": [[name, len(bits)] for name, bits in self.registers],
            "memory_slots": self.bits,
            "n_qubits": self.qubits,
            "metadata": dict(self.metadata),
        }

    def places(self) -> Sequence[int]:
        """The classical bit of each letter of the service's bitstrings, the rightmost letter first.

        Registers follow each other from right to left; bits that are in no register are to the right of them.
        """
        of_registers = list(chain.from_iterable(bits for _, bits in self.registers))
        loose = sorted(set(range(self.bits)).difference(of_registers))
        return [*loose, *of_registers]


@dataclass(slots=True)
class Outcomes:
    """The outcomes of one circuit, added up over the tasks that share its shots, and its outputs by name."""

    shots: int = 0
    seed: int | None = None
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    memory: list[str] | None = None
    outputs: Mapping[str, Output] = field(default_factory=dict)
    failure: str | None = None

    def add(self, counts: Mapping[str, int], memory: Sequence[str] | None, places: Sequence[int]) -> None:
        """Add the counts of a point, and its outcomes in order if they were kept."""
        plain = list(places) == list(range(len(places)))
        keys = {key: hex(_number(key.replace(" ", ""), None if plain else places)) for key in counts}
        for key, count in counts.items():
            self.counts[keys[key]] = self.counts.get(keys[key], 0) + count
        if memory is not None:
            self.memory = [*(self.memory or ()), *(keys[key] for key in memory)]


def output_name(number: int) -> str:
    """The name of the output that has what the save instruction of this number saves."""
    return f"save{number}"


def experiment_of(circuit: Any, saved: Sequence[SavedData] = ()) -> Experiment:
    """The entry of this circuit in a result."""
    places = {bit: number for number, bit in enumerate(circuit.clbits)}
    return Experiment(
        name=circuit.name,
        qubits=circuit.num_qubits,
        bits=circuit.num_clbits,
        registers=[(register.name, [places[bit] for bit in register]) for register in circuit.cregs],
        metadata=circuit.metadata or {},
        saved=saved,
    )


def experiment_result(experiment: Experiment, outcomes: Outcomes) -> Any:
    """The result of one circuit; without counts if it measures nothing, and without success if its task failed."""
    data: dict[str, Any] = {}
    if outcomes.failure is None:
        data = {one.label: one.value(outcomes.outputs[output_name(n)]) for n, one in enumerate(experiment.saved)}
        if outcomes.counts:
            data["counts"] = outcomes.counts
            if outcomes.memory is not None:
                data["memory"] = outcomes.memory
    return ExperimentResult(
        shots=outcomes.shots,
        success=outcomes.failure is None,
        data=ExperimentResultData(**data),
        status="DONE" if outcomes.failure is None else f"ERROR: {outcomes.failure}",
        seed=outcomes.seed,
        header=experiment.header(),
        time_taken=outcomes.seconds,
    )


def _number(letters: str, places: Sequence[int] | None) -> int:
    """The number of an outcome, whose k-th letter from the right is the bit `places[k]`, or bit k."""
    if places is None:
        return int(letters, 2)
    number = 0
    for letter, place in zip(reversed(letters), places, strict=True):
        number |= int(letter) << place
    return number

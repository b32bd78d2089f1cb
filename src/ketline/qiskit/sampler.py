"""The sampler: samples the circuits of PUBs on a service."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from qiskit.primitives import BaseSamplerV2, BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub, SamplerPubLike

from ketline.client import Client
from ketline.client.convert.qiskit import serialized
from ketline.domain.limits import MAX_INPUTS
from ketline.domain.seeds import derived_seed
from ketline.domain.sweep import number_of_points
from ketline.qiskit.circuit_groups import groups_of
from ketline.qiskit.job import KetlinePrimitiveJob, TaskGroup, TaskRequest
from ketline.qiskit.resolve_client import client_of, limits_of
from ketline.qiskit.sweeps import (
    TaskLimits,
    characters_of_counts,
    inputs_of,
    points_in_a_task,
    portions,
    values_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A task of a job; `cells` are the PUB and its point, both by index, of each of the task's points."""

    request: TaskRequest
    cells: Sequence[tuple[int, int]]


class KetlineSampler(BaseSamplerV2):  # type: ignore[misc]
    """Samples circuits as `StatevectorSampler` does, also with control flow, resets and mid-circuit measurements.

    `service` is a provider, a backend, a client or the URL of a service. With a `seed`, results are reproducible: the
    seed of each task is derived from it.
    """

    def __init__(
        self,
        service: Any = None,
        *,
        default_shots: int = 1024,
        seed: int | None = None,
        method: str | None = None,
    ) -> None:
        self._client: Client = client_of(service)
        self._default_shots = default_shots
        self._seed = seed
        self._method = method

    @property
    def default_shots(self) -> int:
        return self._default_shots

    @cached_property
    def _limits(self) -> TaskLimits:
        """The limits of the service, read once: a request for each job would take as long as a small task."""
        return limits_of(self._client)

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> KetlinePrimitiveJob:
        """Submit all PUBs, usually one task for each or for several alike; the job's result is a `PrimitiveResult`.

        Raises:
            ClientError: the service rejected the PUBs, or it is unknown whether it stored them.
        """
        coerced = [SamplerPub.coerce(pub, self._default_shots if shots is None else shots) for pub in pubs]
        if any(not pub.circuit.cregs for pub in coerced):
            warnings.warn("A circuit has no classical registers: its result will be empty.", UserWarning, stacklevel=2)
        parts = sorted([*self._swept(coerced), *self._grouped(coerced)], key=lambda part: part.cells[0])
        group = TaskGroup(self._client, [part.request for part in parts])
        return KetlinePrimitiveJob(group, lambda results: self._read(coerced, parts, results))

    def _swept(self, pubs: Sequence[Any]) -> Iterator[_Part]:
        """The tasks of PUBs whose circuits have parameters."""
        for number, pub in enumerate(pubs):
            if not pub.circuit.parameters or not _measures(pub.circuit):
                continue
            first = 0
            for request in _tasks_of(pub, self._limits, self._options(number)):
                last = first + (number_of_points(request[1].get("inputs", {})) or 1)
                yield _Part(request=request, cells=[(number, point) for point in range(first, last)])
                first = last

    def _grouped(self, pubs: Sequence[Any]) -> Iterator[_Part]:
        """The tasks of PUBs whose circuits have no parameters, with one for all circuits of a group."""
        by_shots: dict[int, list[tuple[int, int]]] = {}
        for number, pub in enumerate(pubs):
            if not pub.circuit.parameters and _measures(pub.circuit):
                points = int(np.prod(pub.shape, dtype=int))
                by_shots.setdefault(pub.shots, []).extend((number, point) for point in range(points))
        for shots, cells in by_shots.items():
            circuits = [pubs[number].circuit for number, _ in cells]
            characters = max(characters_of_counts(circuit, shots) for circuit in circuits)
            for group in groups_of(circuits, self._limits, characters):
                number, point = cells[group.members[0]]
                options = {**_options_at(self._options(number), point), "shots": shots}
                if group.inputs:
                    options["inputs"] = group.inputs
                yield _Part(request=(group.circuit, options), cells=[cells[member] for member in group.members])

    def _options(self, pub: int) -> dict[str, Any]:
        return {"seed": _derived(self._seed, "pub", pub), "method": self._method}

    def _read(self, pubs: Sequence[Any], parts: Sequence[_Part], results: Sequence[Any]) -> Any:
        points: list[dict[int, Mapping[str, int]]] = [{} for _ in pubs]
        for part, result in zip(parts, results, strict=True):
            for (number, point), counts in zip(part.cells, result.points, strict=True):
                points[number][point] = counts
        found = [
            _pub_result(pub, points[index], np.random.default_rng(_derived(self._seed, "order", index)))
            for index, pub in enumerate(pubs)
        ]
        return PrimitiveResult(found, metadata={"version": 2})


def _tasks_of(pub: Any, limits: TaskLimits, options: Mapping[str, Any]) -> list[TaskRequest]:
    """The tasks of a PUB whose circuit has parameters."""
    circuit = pub.circuit
    values, shots = values_of(pub), {"shots": pub.shots}
    if len(circuit.parameters) > MAX_INPUTS:
        bound = pub.parameter_values.bind_all(circuit).ravel()
        return [(serialized(each), _options_at(options, number) | shots) for number, each in enumerate(bound)]
    program = serialized(circuit)
    most = points_in_a_task(limits, values.shape[1], characters_of_counts(circuit, pub.shots))
    return [
        (program, {**_options_at(options, part.start), **shots, "inputs": inputs_of(program.parameters, values[part])})
        for part in portions(len(values), most)
    ]


def _options_at(options: Mapping[str, Any], point: int) -> dict[str, Any]:
    """The options of the task that begins with this point."""
    return {**options, "seed": _derived(options["seed"], "task", point)}


def _derived(seed: int | None, purpose: str, number: int) -> int | None:
    return None if seed is None else derived_seed(int(seed), purpose, number)


def _measures(circuit: Any) -> bool:
    """Whether the circuit may measure; without a measurement all bits stay 0 and no task is needed."""
    return any(instruction.clbits for instruction in circuit.data)


def _pub_result(pub: Any, points: Mapping[int, Mapping[str, int]], random: Any) -> Any:
    circuit, shape = pub.circuit, pub.shape
    loose = any(not circuit.find_bit(bit).registers for bit in circuit.clbits)
    arrays = {register.name: _zeros(shape, pub.shots, register.size) for register in circuit.cregs}
    shown = [register for register in circuit.cregs if register.size]
    for number in sorted(points):
        counts = points[number]
        order = random.permutation(np.repeat(np.arange(len(counts)), list(counts.values())))
        groups = [key.split(" ")[::-1][1 if loose else 0 :] for key in counts]
        for index, register in enumerate(shown):
            width = _bytes_of(register.size)
            packed = b"".join(int(group[index], 2).to_bytes(width, "big") for group in groups)
            rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, width)
            arrays[register.name].reshape(-1, pub.shots, width)[number] = rows[order]
    data = {register.name: BitArray(arrays[register.name], register.size) for register in circuit.cregs}
    metadata = {"shots": pub.shots, "circuit_metadata": circuit.metadata}
    return SamplerPubResult(DataBin(**data, shape=shape), metadata=metadata)


def _zeros(shape: Sequence[int], shots: int, bits: int) -> Any:
    return np.zeros((*shape, shots, _bytes_of(bits)), dtype=np.uint8)


def _bytes_of(bits: int) -> int:
    return (bits + 7) // 8

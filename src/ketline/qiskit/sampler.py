"""The sampler: samples the circuits of PUBs on a service."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.primitives import BaseSamplerV2, BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub, SamplerPubLike

from ketline.client import Client
from ketline.domain.seeds import derived_seed
from ketline.qiskit.job import KetlinePrimitiveJob, TaskGroup, TaskRequest
from ketline.qiskit.resolve_client import client_of, limits_of
from ketline.qiskit.serialization import serialized
from ketline.qiskit.sweeps import MOST_INPUTS, TaskLimits, inputs_of, points_in_a_task, portions, values_of

# Characters of a counts entry besides the bits of its key.
_CHARACTERS_OF_A_COUNT = 14


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

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> KetlinePrimitiveJob:
        """Submit all PUBs, usually one task for each; the job's result is a `PrimitiveResult`.

        Raises:
            ClientError: the service rejected the PUBs, or it is unknown whether it stored them.
        """
        coerced = [SamplerPub.coerce(pub, self._default_shots if shots is None else shots) for pub in pubs]
        if any(not pub.circuit.cregs for pub in coerced):
            warnings.warn("A circuit has no classical registers: its result will be empty.", UserWarning, stacklevel=2)
        limits = limits_of(self._client)
        requests = [_tasks_of(pub, limits, self._options(number)) for number, pub in enumerate(coerced)]
        group = TaskGroup(self._client, [task for tasks in requests for task in tasks])
        task_counts = [len(tasks) for tasks in requests]
        return KetlinePrimitiveJob(group, lambda results: self._read(coerced, task_counts, results))

    def _options(self, pub: int) -> dict[str, Any]:
        return {"seed": _derived(self._seed, "pub", pub), "method": self._method}

    def _read(self, pubs: Sequence[Any], task_counts: Sequence[int], results: Sequence[Any]) -> Any:
        left = iter(results)
        found = []
        for index, (pub, tasks) in enumerate(zip(pubs, task_counts, strict=True)):
            points = [counts for _ in range(tasks) for counts in next(left).points]
            found.append(_pub_result(pub, points, np.random.default_rng(_derived(self._seed, "order", index))))
        return PrimitiveResult(found, metadata={"version": 2})


def _tasks_of(pub: Any, limits: TaskLimits, options: Mapping[str, Any]) -> list[TaskRequest]:
    circuit = pub.circuit
    if not _measures(circuit):
        return []
    values, shots = values_of(pub), {"shots": pub.shots}
    if len(circuit.parameters) > MOST_INPUTS:
        bound = pub.parameter_values.bind_all(circuit).ravel()
        return [(serialized(each), _options_at(options, number) | shots) for number, each in enumerate(bound)]
    program = serialized(circuit)
    if not circuit.parameters:
        return [(program, _options_at(options, number) | shots) for number in range(len(values))]
    bits = sum(register.size + 1 for register in circuit.cregs)
    outcomes = min(pub.shots, 2 ** min(bits, 32))
    most = points_in_a_task(limits, values.shape[1], outcomes * (bits + _CHARACTERS_OF_A_COUNT))
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


def _pub_result(pub: Any, points: Sequence[Mapping[str, int]], random: Any) -> Any:
    circuit, shape = pub.circuit, pub.shape
    loose = any(not circuit.find_bit(bit).registers for bit in circuit.clbits)
    arrays = {register.name: _zeros(shape, pub.shots, register.size) for register in circuit.cregs}
    shown = [register for register in circuit.cregs if register.size]
    for number, counts in enumerate(points):
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

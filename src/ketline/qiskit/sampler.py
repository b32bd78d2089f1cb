"""A sampler whose circuits run on a Ketline service."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.primitives import BaseSamplerV2, BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub, SamplerPubLike

from ketline.client import Client
from ketline.domain.seeds import derived_seed
from ketline.qiskit.job import Asked, KetlinePrimitiveJob, TaskGroup
from ketline.qiskit.resolve_client import client_of, room_of
from ketline.qiskit.serialization import travelling
from ketline.qiskit.sweeps import MOST_INPUTS, Room, inputs_of, points_in_a_task, portions, values_of

# What an outcome takes in a result besides its bits.
_CHARACTERS_OF_A_COUNT = 14


class KetlineSampler(BaseSamplerV2):  # type: ignore[misc]
    """Samples circuits as `StatevectorSampler` does, also with branches, resets and measurements in the middle.

    `service` is a provider, a backend, a client or the URL of a service. With a `seed` results can be had again:
    each PUB, and each task of it, has a seed that is derived from it.
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
        """Submit all PUBs at once, each as one task as a rule; the job's result is a `PrimitiveResult`.

        Raises:
            ClientError: the service does not take them, or is not known to have done so.
        """
        coerced = [SamplerPub.coerce(pub, self._default_shots if shots is None else shots) for pub in pubs]
        if any(not pub.circuit.cregs for pub in coerced):
            warnings.warn("A circuit has no classical registers: its result will be empty.", UserWarning, stacklevel=2)
        room = room_of(self._client)
        asked = [_tasks_of(pub, room, self._options(number)) for number, pub in enumerate(coerced)]
        group = TaskGroup(self._client, [task for tasks in asked for task in tasks])
        numbers = [len(tasks) for tasks in asked]
        return KetlinePrimitiveJob(group, lambda results: self._read(coerced, numbers, results))

    def _options(self, pub: int) -> dict[str, Any]:
        return {"seed": _derived(self._seed, "pub", pub), "method": self._method}

    def _read(self, pubs: Sequence[Any], numbers: Sequence[int], results: Sequence[Any]) -> Any:
        left = iter(results)
        found = []
        for place, (pub, number) in enumerate(zip(pubs, numbers, strict=True)):
            points = [counts for _ in range(number) for counts in next(left).points]
            found.append(_pub_result(pub, points, np.random.default_rng(_derived(self._seed, "order", place))))
        return PrimitiveResult(found, metadata={"version": 2})


def _tasks_of(pub: Any, room: Room, options: Mapping[str, Any]) -> list[Asked]:
    circuit = pub.circuit
    if not _measures(circuit):
        return []
    values, shots = values_of(pub), {"shots": pub.shots}
    if len(circuit.parameters) > MOST_INPUTS:
        bound = pub.parameter_values.bind_all(circuit).ravel()
        return [(travelling(one), _at(options, number) | shots) for number, one in enumerate(bound)]
    sent = travelling(circuit)
    if not circuit.parameters:
        return [(sent, _at(options, number) | shots) for number in range(len(values))]
    bits = sum(register.size + 1 for register in circuit.cregs)
    outcomes = min(pub.shots, 2 ** min(bits, 32))
    most = points_in_a_task(room, values.shape[1], outcomes * (bits + _CHARACTERS_OF_A_COUNT))
    return [
        (sent, {**_at(options, part.start), **shots, "inputs": inputs_of(sent.parameters, values[part])})
        for part in portions(len(values), most)
    ]


def _at(options: Mapping[str, Any], point: int) -> dict[str, Any]:
    """The options for the task from this point on."""
    return {**options, "seed": _derived(options["seed"], "task", point)}


def _derived(seed: int | None, purpose: str, number: int) -> int | None:
    return None if seed is None else derived_seed(int(seed), purpose, number)


def _measures(circuit: Any) -> bool:
    """Whether a circuit, or an instruction in it, may measure; what does not leaves all bits at 0."""
    return any(instruction.clbits for instruction in circuit.data)


def _pub_result(pub: Any, points: Sequence[Mapping[str, int]], random: Any) -> Any:
    circuit, shape = pub.circuit, pub.shape
    loose = any(not circuit.find_bit(bit).registers for bit in circuit.clbits)
    arrays = {register.name: _zeros(shape, pub.shots, register.size) for register in circuit.cregs}
    shown = [register for register in circuit.cregs if register.size]
    for number, counts in enumerate(points):
        order = random.permutation(np.repeat(np.arange(len(counts)), list(counts.values())))
        groups = [key.split(" ")[::-1][1 if loose else 0 :] for key in counts]
        for place, register in enumerate(shown):
            width = _bytes_of(register.size)
            packed = b"".join(int(group[place], 2).to_bytes(width, "big") for group in groups)
            rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, width)
            arrays[register.name].reshape(-1, pub.shots, width)[number] = rows[order]
    data = {register.name: BitArray(arrays[register.name], register.size) for register in circuit.cregs}
    metadata = {"shots": pub.shots, "circuit_metadata": circuit.metadata}
    return SamplerPubResult(DataBin(**data, shape=shape), metadata=metadata)


def _zeros(shape: Sequence[int], shots: int, bits: int) -> Any:
    return np.zeros((*shape, shots, _bytes_of(bits)), dtype=np.uint8)


def _bytes_of(bits: int) -> int:
    return (bits + 7) // 8

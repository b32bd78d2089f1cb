"""The sampler: samples the circuits of PUBs on a service."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from qiskit.primitives import BaseSamplerV2
from qiskit.primitives.containers.sampler_pub import SamplerPub, SamplerPubLike

from ketline.client.convert.qiskit import serialized
from ketline.client.task_limits import TaskLimits, points_in_a_task, portions
from ketline.domain.limits import MAX_INPUTS
from ketline.domain.tasks.seeds import derived_seed, fresh_seed
from ketline.domain.tasks.sweep import number_of_points
from ketline.qiskit.circuit_groups import groups_of, measures
from ketline.qiskit.job import KetlinePrimitiveJob
from ketline.qiskit.options import SamplerOptions, Seed, number_of
from ketline.qiskit.placement import device_options, without_layout
from ketline.qiskit.resolve_client import service_of
from ketline.qiskit.results.cells import Cell
from ketline.qiskit.results.experiments import experiment_of
from ketline.qiskit.results.sampling import SampledPub, Sampling
from ketline.qiskit.sweeps import characters_of_counts, inputs_of, values_of
from ketline.qiskit.task_group import TaskRequest, submitted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A task of a job; `cells` are the PUB and its point, both by index, of each of the task's points."""

    request: TaskRequest
    cells: Sequence[Cell]


class KetlineSampler(BaseSamplerV2):  # type: ignore[misc]
    """Samples circuits as `StatevectorSampler` does, also with control flow, resets and mid-circuit measurements.

    `service`, or `mode` or `backend` as other samplers call it, is a provider, a backend, a client or the URL of a
    service; on a backend that is a device, circuits run there. With a `seed`, results are reproducible: the seed of
    each task is derived from it. It is an integer, or what numpy makes random numbers of; a generator is drawn from for
    each job. `options` are further ones of `SamplerOptions`; all can be changed by the attribute `options`.
    """

    def __init__(
        self,
        service: Any = None,
        *,
        mode: Any = None,
        backend: Any = None,
        default_shots: int = 1024,
        seed: Seed = None,
        method: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.service = service_of(service, mode, backend, devices=True)
        own = {"default_shots": default_shots, "seed": seed, "method": method}
        self.options = SamplerOptions(**{**own, **(options or {})})

    @property
    def default_shots(self) -> int:
        return self.options.default_shots

    @property
    def seed(self) -> Seed:
        return self.options.seed

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> KetlinePrimitiveJob:
        """Submit all PUBs, usually one task for each or for several alike; the job's result is a `PrimitiveResult`.

        Raises:
            ClientError: the service rejected the PUBs, or it is unknown whether it stored them.
        """
        coerced = [SamplerPub.coerce(pub, self.default_shots if shots is None else shots) for pub in pubs]
        if any(not pub.circuit.cregs for pub in coerced):
            warnings.warn("A circuit has no classical registers: its result will be empty.", UserWarning, stacklevel=2)
        if self.service.device is not None:
            coerced = [SamplerPub(without_layout(pub.circuit), pub.parameter_values, pub.shots) for pub in coerced]
        seed, limits = number_of(self.seed), self.service.limits
        parts = _parts_of(coerced, limits, {**self.options.for_tasks(), "seed": seed}, self.service.device)
        sampling = Sampling(
            pubs=[SampledPub(shape=pub.shape, shots=pub.shots, circuit=experiment_of(pub.circuit)) for pub in coerced],
            cells=[part.cells for part in parts],
            order=fresh_seed() if seed is None else seed,
        )
        group = submitted(self.service.client, [part.request for part in parts], sampling, self.options.tags)
        return KetlinePrimitiveJob(group, sampling)


def _parts_of(
    pubs: Sequence[Any], limits: TaskLimits, options: Mapping[str, Any], device: str | None = None
) -> list[_Part]:
    """The tasks of PUBs, in the order of their first points."""
    relaxes = device is not None
    found = [*_swept(pubs, limits, options, relaxes), *_grouped(pubs, limits, options, relaxes)]
    parts = sorted(found, key=lambda part: part.cells[0])
    placed = [_on_device(part, device, pubs[part.cells[0][0]].circuit.num_qubits) for part in parts]
    return [each for part in placed for each in _by_shots(part, limits.shots)]


def _on_device(part: _Part, device: str | None, qubits: int) -> _Part:
    """The task on a device, if there is one; its circuits have this number of qubits."""
    circuit, options = part.request
    return replace(part, request=(circuit, {**options, **device_options(device, qubits)}))


def _swept(pubs: Sequence[Any], limits: TaskLimits, options: Mapping[str, Any], with_delays: bool) -> Iterator[_Part]:
    """The tasks of PUBs whose circuits have parameters; on a device their qubits relax in delays."""
    for number, pub in enumerate(pubs):
        if not pub.circuit.parameters or not measures(pub.circuit):
            continue
        first = 0
        for request in _tasks_of(pub, limits, _options_of(options, number), with_delays=with_delays):
            last = first + (number_of_points(request[1].get("inputs", {})) or 1)
            yield _Part(request=request, cells=[(number, point) for point in range(first, last)])
            first = last


def _grouped(pubs: Sequence[Any], limits: TaskLimits, options: Mapping[str, Any], with_delays: bool) -> Iterator[_Part]:
    """The tasks of PUBs whose circuits have no parameters, with one for all circuits of a group."""
    by_shots: dict[int, list[tuple[int, int]]] = {}
    for number, pub in enumerate(pubs):
        if not pub.circuit.parameters and measures(pub.circuit):
            points = int(np.prod(pub.shape, dtype=int))
            by_shots.setdefault(pub.shots, []).extend((number, point) for point in range(points))
    for shots, cells in by_shots.items():
        circuits = [pubs[number].circuit for number, _ in cells]
        characters = max((characters_of_counts(circuit, shots) for circuit in circuits), default=0)
        for group in groups_of(circuits, limits, characters, with_delays=with_delays):
            number, point = cells[group.members[0]]
            own = {**_options_at(_options_of(options, number), point), "shots": shots}
            if group.inputs:
                own["inputs"] = group.inputs
            yield _Part(request=(group.circuit, own), cells=[cells[member] for member in group.members])


def _by_shots(part: _Part, most: int) -> Iterator[_Part]:
    """The task, or several with the same points and with seeds of their own, each with at most the limit of shots."""
    circuit, options = part.request
    for number, some in enumerate(portions(options["shots"], most)):
        seed = _derived(options["seed"], "shots", number) if number else options["seed"]
        own = {**options, "seed": seed, "shots": some.stop - some.start}
        yield _Part(request=(circuit, own), cells=part.cells)


def _options_of(options: Mapping[str, Any], pub: int) -> dict[str, Any]:
    """The options of the PUB of this number."""
    return {**options, "seed": _derived(options["seed"], "pub", pub)}


def _tasks_of(pub: Any, limits: TaskLimits, options: Mapping[str, Any], with_delays: bool = False) -> list[TaskRequest]:
    """The tasks of a PUB whose circuit has parameters."""
    circuit = pub.circuit
    values, shots = values_of(pub), {"shots": pub.shots}
    if len(circuit.parameters) > MAX_INPUTS:
        bound = pub.parameter_values.bind_all(circuit).ravel()
        as_text = partial(serialized, with_delays=with_delays)
        return [(as_text(each), _options_at(options, number) | shots) for number, each in enumerate(bound)]
    program = serialized(circuit, with_delays=with_delays)
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

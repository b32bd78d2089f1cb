"""How the results of the sampler's tasks become the results of its PUBs; the tasks of a job store it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult

from ketline.domain.tasks.seeds import derived_seed
from ketline.qiskit.results.cells import Cell, cells_of, ranges_of, stored_with
from ketline.qiskit.results.experiments import Experiment
from ketline.qiskit.results.stored_jobs import entry_of, experiments_as_json, experiments_of

# The kind of jobs of the sampler, see `runs.RUN`.
SAMPLER = "sampler"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledPub:
    """The parts of the result of a sampler's PUB besides counts."""

    shape: tuple[int, ...]
    shots: int
    circuit: Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """A job of the sampler: its PUBs, and the cell of each point of each task; `order` is the seed of the shots' order.

    Each task has some shots of its cells.
    """

    pubs: Sequence[SampledPub]
    cells: Sequence[Sequence[Cell]]
    order: int

    def result(self, results: Sequence[Any]) -> Any:
        """The results of the PUBs, from those of the tasks in order."""
        points: list[dict[int, dict[str, int]]] = [{} for _ in self.pubs]
        for cells, result in zip(self.cells, results, strict=True):
            for (number, point), counts in zip(cells, result.points, strict=True):
                total = points[number].setdefault(point, {})
                for key, count in counts.items():
                    total[key] = total.get(key, 0) + count
        found = [
            _sampled(pub, points[number], np.random.default_rng(derived_seed(self.order, "order", number)))
            for number, pub in enumerate(self.pubs)
        ]
        return PrimitiveResult(found, metadata={"version": 2})

    def stored(self) -> list[dict[str, Any]]:
        """The metadata of each task; PUBs that no task has are with the first one."""
        of_tasks = stored_with([[pub for pub, _ in cells] for cells in self.cells], len(self.pubs))
        return [self._stored(number, members) for number, members in enumerate(of_tasks)]

    def _stored(self, number: int, members: Sequence[int]) -> dict[str, Any]:
        circuits = [pub.circuit for pub in self.pubs]
        shared = {
            "order": self.order,
            "cells": list(ranges_of(self.cells[number])),
            "pubs": [[list(self.pubs[member].shape), self.pubs[member].shots] for member in members],
        }
        documents = (
            {**shared, "circuits": experiments_as_json(circuits, members, with_metadata=with_metadata)}
            for with_metadata in (True, False)
        )
        return entry_of(SAMPLER, number, len(self.cells), documents)


def read_sampling(documents: Sequence[Mapping[str, Any]]) -> Sampling:
    """The sampler's job of which the tasks store these documents."""
    pubs: dict[int, SampledPub] = {}
    for document in documents:
        for (index, circuit), (shape, shots) in zip(
            experiments_of(document["circuits"]).items(), document["pubs"], strict=True
        ):
            pubs[index] = SampledPub(shape=tuple(shape), shots=shots, circuit=circuit)
    return Sampling(
        pubs=[pubs[index] for index in sorted(pubs)],
        cells=[list(cells_of(document["cells"])) for document in documents],
        order=documents[0]["order"],
    )


def _sampled(pub: SampledPub, points: Mapping[int, Mapping[str, int]], random: Any) -> Any:
    registers = [(name, len(bits)) for name, bits in pub.circuit.registers]
    loose = len({bit for _, bits in pub.circuit.registers for bit in bits}) < pub.circuit.bits
    arrays = {name: np.zeros((*pub.shape, pub.shots, _bytes_of(size)), dtype=np.uint8) for name, size in registers}
    shown = [(name, size) for name, size in registers if size]
    for number in sorted(points):
        counts = points[number]
        order = random.permutation(np.repeat(np.arange(len(counts)), list(counts.values())))
        groups = [key.split(" ")[::-1][1 if loose else 0 :] for key in counts]
        for index, (name, size) in enumerate(shown):
            width = _bytes_of(size)
            packed = b"".join(int(group[index], 2).to_bytes(width, "big") for group in groups)
            rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, width)
            arrays[name].reshape(-1, pub.shots, width)[number] = rows[order]
    data = {name: BitArray(arrays[name], size) for name, size in registers}
    metadata = {"shots": pub.shots, "circuit_metadata": dict(pub.circuit.metadata)}
    return SamplerPubResult(DataBin(**data, shape=pub.shape), metadata=metadata)


def _bytes_of(bits: int) -> int:
    return (bits + 7) // 8

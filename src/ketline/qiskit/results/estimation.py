"""How the results of the estimator's tasks become the results of its PUBs; the tasks of a job store it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from qiskit.primitives import DataBin, PrimitiveResult, PubResult

from ketline.qiskit.options import Seed
from ketline.qiskit.results.cells import Cell, cells_of, ranges_of, stored_with
from ketline.qiskit.results.experiments import Experiment
from ketline.qiskit.results.stored_jobs import entry_of, experiments_as_json, experiments_of

# The kind of jobs of the estimator, see `runs.RUN`.
ESTIMATOR = "estimator"

# For each observable of a point the flat indices of its values.
Positions = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedPub:
    """The parts of the result of an estimator's PUB besides values: the shapes of its points and observables."""

    points: tuple[int, ...]
    observables: tuple[int, ...]
    precision: float
    circuit: Experiment

    @property
    def shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(self.points, self.observables)

    def by_point(self) -> dict[int, dict[int, list[int]]]:
        """For each point its observables, and for each of them the flat indices of its values in the result."""
        points, observables = (
            np.arange(int(np.prod(shape, dtype=int))).reshape(shape) for shape in (self.points, self.observables)
        )
        by_point: dict[int, dict[int, list[int]]] = {}
        pairs = zip(*(array.ravel().tolist() for array in np.broadcast_arrays(points, observables)), strict=True)
        for position, (point, observable) in enumerate(pairs):
            by_point.setdefault(point, {}).setdefault(observable, []).append(position)
        return by_point

    def positions(self) -> Iterator[Positions]:
        """For each point, in the order of `by_point`, where the values of its observables belong."""
        return (list(observables.values()) for observables in self.by_point().values())


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedPart:
    """A task of an estimator's job: the PUB of each of its points, and where the values belong."""

    pubs: Sequence[int]
    positions: Sequence[Positions]
    swept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimation:
    """A job of the estimator: its PUBs, its tasks, and the seed of the noise.

    Values that were `sampled` from shots on a device have standard errors, and no noise is added to them.
    """

    pubs: Sequence[EstimatedPub]
    parts: Sequence[EstimatedPart]
    seed: Seed
    sampled: bool = False

    def result(self, results: Sequence[Any]) -> Any:
        """The results of the PUBs, from those of the tasks in order."""
        values = self._placed([result.expectation_values for result in results])
        if not self.sampled:
            found = [_estimated(pub, own, self.seed) for pub, own in zip(self.pubs, values, strict=True)]
            return PrimitiveResult(found, metadata={"version": 2})
        errors = self._placed([result.standard_errors for result in results])
        found = [_result(pub, own, error) for pub, own, error in zip(self.pubs, values, errors, strict=True)]
        return PrimitiveResult(found, metadata={"version": 2})

    def _placed(self, of_tasks: Sequence[Any]) -> Sequence[Any]:
        """The values of each PUB, from those of each task; 0 where a task has none."""
        values = [np.zeros(int(np.prod(pub.shape, dtype=int))) for pub in self.pubs]
        for part, of_task in zip(self.parts, of_tasks, strict=True):
            if of_task is None:
                continue
            at_points = of_task if part.swept else [of_task]
            for pub, positions, found in zip(part.pubs, part.positions, at_points, strict=True):
                for indices, value in zip(positions, found, strict=True):
                    values[pub][list(indices)] = value
        return values

    def stored(self) -> list[dict[str, Any]]:
        """The metadata of each task; PUBs that no task has are with the first one."""
        whole = [list(pub.positions()) for pub in self.pubs]
        of_tasks = stored_with([part.pubs for part in self.parts], len(self.pubs))
        return [self._stored(number, members, whole) for number, members in enumerate(of_tasks)]

    def _stored(self, number: int, members: Sequence[int], whole: Sequence[Sequence[Positions]]) -> dict[str, Any]:
        part = self.parts[number]
        circuits = [pub.circuit for pub in self.pubs]
        cells = _cells(part, whole)
        shared = {
            "seed": _stored_seed(self.seed),
            "swept": part.swept,
            **({"sampled": True} if self.sampled else {}),
            "pubs": [_shapes(self.pubs[member]) for member in members],
            **({"parts": [part.pubs, part.positions]} if cells is None else {"cells": list(ranges_of(cells))}),
        }
        documents = (
            {**shared, "circuits": experiments_as_json(circuits, members, with_metadata=with_metadata)}
            for with_metadata in (True, False)
        )
        return entry_of(ESTIMATOR, number, len(self.parts), documents)


def read_estimation(documents: Sequence[Mapping[str, Any]]) -> Estimation:
    """The estimator's job of which the tasks store these documents."""
    pubs: dict[int, EstimatedPub] = {}
    for document in documents:
        for (index, circuit), (points, observables, precision) in zip(
            experiments_of(document["circuits"]).items(), document["pubs"], strict=True
        ):
            pubs[index] = EstimatedPub(
                points=tuple(points), observables=tuple(observables), precision=precision, circuit=circuit
            )
    return Estimation(
        pubs=[pubs[index] for index in sorted(pubs)],
        parts=[_estimated_part(document, pubs) for document in documents],
        seed=documents[0]["seed"],
        sampled=documents[0].get("sampled", False),
    )


def _estimated_part(document: Mapping[str, Any], pubs: Mapping[int, EstimatedPub]) -> EstimatedPart:
    if "parts" in document:
        of_pubs, positions = document["parts"]
        return EstimatedPart(pubs=of_pubs, positions=positions, swept=document["swept"])
    cells = list(cells_of(document["cells"]))
    whole = {pub: list(pubs[pub].positions()) for pub in {pub for pub, _ in cells}}
    return EstimatedPart(
        pubs=[pub for pub, _ in cells],
        positions=[whole[pub][point] for pub, point in cells],
        swept=document["swept"],
    )


def _cells(part: EstimatedPart, whole: Sequence[Sequence[Positions]]) -> list[Cell] | None:
    """The points of a task by index in their PUBs; None if the task has only some observables of a point."""
    cells = []
    for pub, own in groupby(zip(part.pubs, part.positions, strict=True), key=lambda pair: pair[0]):
        point_of = {positions[0][0]: point for point, positions in enumerate(whole[pub])}
        for _, positions in own:
            point = point_of.get(positions[0][0])
            if point is None or whole[pub][point] != positions:
                return None
            cells.append((pub, point))
    return cells


def _stored_seed(seed: Any) -> Any:
    """The seed, if it is a number or several; the noise of other ones is drawn anew when a job is retrieved."""
    plain = seed.tolist() if isinstance(seed, (np.ndarray, np.integer)) else seed
    return plain if isinstance(plain, (int, list, tuple)) else None


def _shapes(pub: EstimatedPub) -> list[Any]:
    return [list(pub.points), list(pub.observables), pub.precision]


def _estimated(pub: EstimatedPub, values: Any, seed: Seed) -> Any:
    if pub.precision:
        values = np.random.default_rng(seed).normal(values, pub.precision)
    return _result(pub, values, np.zeros_like(values))


def _result(pub: EstimatedPub, values: Any, errors: Any) -> Any:
    """The result of a PUB, from its values and their standard errors by flat index."""
    data = DataBin(evs=values.reshape(pub.shape), stds=errors.reshape(pub.shape), shape=pub.shape)
    metadata = {"target_precision": pub.precision, "circuit_metadata": dict(pub.circuit.metadata)}
    return PubResult(data, metadata=metadata)

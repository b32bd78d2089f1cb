"""The estimator: computes expectation values of PUBs on a service."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.quantum_info import SparsePauliOp

from ketline.client import Client
from ketline.qiskit.job import KetlinePrimitiveJob, TaskGroup, TaskRequest
from ketline.qiskit.resolve_client import client_of, limits_of
from ketline.qiskit.serialization import SerializedCircuit, serialized
from ketline.qiskit.sweeps import (
    CHARACTERS_OF_A_NUMBER,
    MOST_INPUTS,
    TaskLimits,
    inputs_of,
    points_in_a_task,
    portions,
    values_of,
)

# Limits of the service: observables of a point, and terms of a task.
MOST_OBSERVABLES = 1_000
MOST_TERMS = 100_000


@dataclass(frozen=True, slots=True)
class _Part:
    """A task of a PUB; `positions` are the flat indices in the PUB's values, for each point and observable."""

    request: TaskRequest
    positions: Sequence[Sequence[Sequence[int]]]


class KetlineEstimator(BaseEstimatorV2):  # type: ignore[misc]
    """Computes exact expectation values, and adds noise with the standard error `precision`.

    It does the same as Qiskit's `StatevectorEstimator`. `service` is a provider, a backend, a client or the URL of a
    service. `seed` is the seed of the noise.
    """

    def __init__(
        self,
        service: Any = None,
        *,
        default_precision: float = 0.0,
        seed: int | None = None,
        method: str | None = None,
    ) -> None:
        self._client: Client = client_of(service)
        self._default_precision = default_precision
        self._seed = seed
        self._method = method

    @property
    def default_precision(self) -> float:
        return self._default_precision

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> KetlinePrimitiveJob:
        """Submit all PUBs, usually one task for each; the job's result is a `PrimitiveResult`.

        Raises:
            ValueError: an observable is not Hermitian.
            ClientError: the service rejected the PUBs, or it is unknown whether it stored them.
        """
        precision = self._default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        limits = limits_of(self._client)
        parts = [_parts_of(pub, limits, {"method": self._method}) for pub in coerced]
        group = TaskGroup(self._client, [part.request for pub_parts in parts for part in pub_parts])
        return KetlinePrimitiveJob(group, lambda results: self._read(coerced, parts, results))

    def _read(self, pubs: Sequence[Any], parts: Sequence[Sequence[_Part]], results: Sequence[Any]) -> Any:
        left = iter(results)
        found = [
            self._pub_result(pub, pub_parts, [next(left) for _ in pub_parts])
            for pub, pub_parts in zip(pubs, parts, strict=True)
        ]
        return PrimitiveResult(found, metadata={"version": 2})

    def _pub_result(self, pub: Any, parts: Sequence[_Part], results: Sequence[Any]) -> Any:
        values = np.zeros(int(np.prod(pub.shape, dtype=int)))
        for part, result in zip(parts, results, strict=True):
            swept = "inputs" in part.request[1]
            at_points = result.expectation_values if swept else [result.expectation_values]
            for positions, found in zip(part.positions, at_points, strict=True):
                for indices, value in zip(positions, found, strict=True):
                    values[list(indices)] = value
        if pub.precision:
            values = np.random.default_rng(self._seed).normal(values, pub.precision)
        values = values.reshape(pub.shape)
        data = DataBin(evs=values, stds=np.zeros_like(values), shape=pub.shape)
        metadata = {"target_precision": pub.precision, "circuit_metadata": pub.circuit.metadata}
        return PubResult(data, metadata=metadata)


def _parts_of(pub: Any, limits: TaskLimits, options: Mapping[str, Any]) -> list[_Part]:
    terms = _terms_of(pub.observables)
    by_point = _observables_by_point(pub)
    requested = [
        (point, list(of_point)[part], list(of_point.values())[part])
        for point, of_point in by_point.items()
        for part in _slices([len(terms[index]) for index in of_point])
    ]
    if not requested:
        return []
    values = values_of(pub)
    circuit = pub.circuit
    if not circuit.parameters or len(circuit.parameters) > MOST_INPUTS:
        bound = pub.parameter_values.bind_all(circuit).ravel()
        circuits = [serialized(assigned) for assigned in bound]
        return [
            _Part((circuits[point], {**options, "observables": [terms[index] for index in observables]}), [positions])
            for point, observables, positions in requested
        ]
    return list(_swept(serialized(circuit), requested, values, terms, limits, options))


def _slices(terms: Sequence[int]) -> Iterator[slice]:
    """Slices of a point's observables, with these numbers of terms, of which each fits into one task."""
    first, total = 0, 0
    for number, more in enumerate(terms):
        if number - first == MOST_OBSERVABLES or (number > first and total + more > MOST_TERMS):
            yield slice(first, number)
            first, total = number, 0
        total += more
    if terms:
        yield slice(first, len(terms))


def _swept(
    circuit: SerializedCircuit,
    requested: Sequence[tuple[int, Sequence[int], Sequence[Sequence[int]]]],
    values: Any,
    terms: Sequence[Mapping[str, float]],
    limits: TaskLimits,
    options: Mapping[str, Any],
) -> Iterable[_Part]:
    """Tasks of many points each; observables that all points share are sent once."""
    same = len({tuple(observables) for _, observables, _ in requested}) == 1
    most_values = max(len(observables) for _, observables, _ in requested)
    most_terms = max(sum(len(terms[index]) for index in observables) for _, observables, _ in requested)
    label = len(next(iter(terms[0])))
    most = points_in_a_task(limits, values.shape[1], most_values * CHARACTERS_OF_A_NUMBER)
    if not same:
        most = max(1, min(most, MOST_TERMS // most_terms, limits.input_characters // (most_terms * (label + 32))))
    for part in portions(len(requested), most):
        points = [point for point, _, _ in requested[part]]
        by_point = [[terms[index] for index in observables] for _, observables, _ in requested[part]]
        inputs = inputs_of(circuit.parameters, values[points])
        yield _Part(
            (circuit, {**options, "inputs": inputs, "observables": by_point[0] if same else by_point}),
            [positions for _, _, positions in requested[part]],
        )


def _observables_by_point(pub: Any) -> dict[int, dict[int, list[int]]]:
    """For each point its observables, and for each of them the flat indices of its values in the result."""
    points = np.arange(int(np.prod(pub.parameter_values.shape, dtype=int))).reshape(pub.parameter_values.shape)
    observables = np.arange(int(np.prod(pub.observables.shape, dtype=int))).reshape(pub.observables.shape)
    by_point: dict[int, dict[int, list[int]]] = {}
    pairs = zip(*(array.ravel().tolist() for array in np.broadcast_arrays(points, observables)), strict=True)
    for position, (point, observable) in enumerate(pairs):
        by_point.setdefault(point, {}).setdefault(observable, []).append(position)
    return by_point


def _terms_of(observables: Any) -> list[dict[str, float]]:
    """Each observable as coefficients by Pauli label; projectors are expanded to sums of Paulis."""
    flat = observables.ravel().sparse_observables_array()
    return [_terms(SparsePauliOp.from_sparse_observable(observable.as_paulis())) for observable in flat]


def _terms(operator: Any) -> dict[str, float]:
    summed = operator.simplify(atol=0)
    if np.any(np.abs(summed.coeffs.imag) > 0):
        raise ValueError("An observable is not Hermitian: it has complex coefficients.")
    return {label: float(factor.real) for label, factor in summed.to_list()}

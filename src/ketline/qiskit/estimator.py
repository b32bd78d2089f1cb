"""An estimator whose expectation values a Ketline service computes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.quantum_info import SparsePauliOp

from ketline.client import Client
from ketline.qiskit.job import Asked, KetlinePrimitiveJob, TaskGroup
from ketline.qiskit.resolve_client import client_of, room_of
from ketline.qiskit.serialization import Travelling, travelling
from ketline.qiskit.sweeps import (
    CHARACTERS_OF_A_NUMBER,
    MOST_INPUTS,
    Room,
    inputs_of,
    points_in_a_task,
    portions,
    values_of,
)

# The service's own limits: observables at a point, and terms in a task.
MOST_OBSERVABLES = 1_000
MOST_TERMS = 100_000


@dataclass(frozen=True, slots=True)
class _Part:
    """A task of a PUB, and where in the PUB's values its own belong: flat indices, by point and observable."""

    asked: Asked
    places: Sequence[Sequence[Sequence[int]]]


class KetlineEstimator(BaseEstimatorV2):  # type: ignore[misc]
    """Exact expectation values, with noise of the standard error that `precision` is, as `StatevectorEstimator` does.

    `service` is a provider, a backend, a client or the URL of a service. `seed` is that of the noise.
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
        """Submit all PUBs at once, each as one task as a rule; the job's result is a `PrimitiveResult`.

        Raises:
            ValueError: an observable is not Hermitian.
            ClientError: the service does not take them, or is not known to have done so.
        """
        precision = self._default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        room = room_of(self._client)
        parts = [_parts_of(pub, room, {"method": self._method}) for pub in coerced]
        group = TaskGroup(self._client, [part.asked for of_pub in parts for part in of_pub])
        return KetlinePrimitiveJob(group, lambda results: self._read(coerced, parts, results))

    def _read(self, pubs: Sequence[Any], parts: Sequence[Sequence[_Part]], results: Sequence[Any]) -> Any:
        left = iter(results)
        found = [
            self._pub_result(pub, of_pub, [next(left) for _ in of_pub]) for pub, of_pub in zip(pubs, parts, strict=True)
        ]
        return PrimitiveResult(found, metadata={"version": 2})

    def _pub_result(self, pub: Any, parts: Sequence[_Part], results: Sequence[Any]) -> Any:
        values = np.zeros(int(np.prod(pub.shape, dtype=int)))
        for part, result in zip(parts, results, strict=True):
            swept = "inputs" in part.asked[1]
            at_points = result.expectation_values if swept else [result.expectation_values]
            for places, found in zip(part.places, at_points, strict=True):
                for indices, value in zip(places, found, strict=True):
                    values[list(indices)] = value
        if pub.precision:
            values = np.random.default_rng(self._seed).normal(values, pub.precision)
        values = values.reshape(pub.shape)
        data = DataBin(evs=values, stds=np.zeros_like(values), shape=pub.shape)
        metadata = {"target_precision": pub.precision, "circuit_metadata": pub.circuit.metadata}
        return PubResult(data, metadata=metadata)


def _parts_of(pub: Any, room: Room, options: Mapping[str, Any]) -> list[_Part]:
    terms = _terms_of(pub.observables)
    wanted = _wanted(pub)
    asked = [
        (point, list(of_point)[part], list(of_point.values())[part])
        for point, of_point in wanted.items()
        for part in _cut([len(terms[one]) for one in of_point])
    ]
    if not asked:
        return []
    values = values_of(pub)
    circuit = pub.circuit
    if not circuit.parameters or len(circuit.parameters) > MOST_INPUTS:
        bound = pub.parameter_values.bind_all(circuit).ravel()
        sent = [travelling(one) for one in bound]
        return [
            _Part((sent[point], {**options, "observables": [terms[one] for one in observables]}), [places])
            for point, observables, places in asked
        ]
    return list(_swept(travelling(circuit), asked, values, terms, room, options))


def _cut(terms: Sequence[int]) -> Iterator[slice]:
    """Slices of a point's observables, of so many terms each, none of which is too much for a task."""
    first, together = 0, 0
    for number, more in enumerate(terms):
        if number - first == MOST_OBSERVABLES or (number > first and together + more > MOST_TERMS):
            yield slice(first, number)
            first, together = number, 0
        together += more
    if terms:
        yield slice(first, len(terms))


def _swept(
    sent: Travelling,
    asked: Sequence[tuple[int, Sequence[int], Sequence[Sequence[int]]]],
    values: Any,
    terms: Sequence[Mapping[str, float]],
    room: Room,
    options: Mapping[str, Any],
) -> Iterable[_Part]:
    """Tasks of many points each; what all points of a task have in common is said once."""
    same = len({tuple(observables) for _, observables, _ in asked}) == 1
    most_values = max(len(observables) for _, observables, _ in asked)
    most_terms = max(sum(len(terms[one]) for one in observables) for _, observables, _ in asked)
    label = len(next(iter(terms[0])))
    most = points_in_a_task(room, values.shape[1], most_values * CHARACTERS_OF_A_NUMBER)
    if not same:
        most = max(1, min(most, MOST_TERMS // most_terms, room.asked_characters // (most_terms * (label + 32))))
    for part in portions(len(asked), most):
        points = [point for point, _, _ in asked[part]]
        own = [[terms[one] for one in observables] for _, observables, _ in asked[part]]
        inputs = inputs_of(sent.parameters, values[points])
        yield _Part(
            (sent, {**options, "inputs": inputs, "observables": own[0] if same else own}),
            [places for _, _, places in asked[part]],
        )


def _wanted(pub: Any) -> dict[int, dict[int, list[int]]]:
    """For each point the observables that are wanted there, and for each of these where its value goes."""
    points = np.arange(int(np.prod(pub.parameter_values.shape, dtype=int))).reshape(pub.parameter_values.shape)
    observables = np.arange(int(np.prod(pub.observables.shape, dtype=int))).reshape(pub.observables.shape)
    by_point: dict[int, dict[int, list[int]]] = {}
    pairs = zip(*(array.ravel().tolist() for array in np.broadcast_arrays(points, observables)), strict=True)
    for place, (point, observable) in enumerate(pairs):
        by_point.setdefault(point, {}).setdefault(observable, []).append(place)
    return by_point


def _terms_of(observables: Any) -> list[dict[str, float]]:
    """Each observable as coefficients by Pauli label; projectors are sums of Paulis."""
    flat = observables.ravel().sparse_observables_array()
    return [_terms(SparsePauliOp.from_sparse_observable(one.as_paulis())) for one in flat]


def _terms(operator: Any) -> dict[str, float]:
    summed = operator.simplify(atol=0)
    if np.any(np.abs(summed.coeffs.imag) > 0):
        raise ValueError("An observable is not Hermitian: it has complex coefficients.")
    return {label: float(factor.real) for label, factor in summed.to_list()}

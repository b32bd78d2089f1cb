"""The estimator: computes expectation values of PUBs on a service."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike

from ketline.client.convert.qiskit import serialized
from ketline.client.task_limits import CHARACTERS_OF_A_NUMBER, TaskLimits, points_in_a_task, portions
from ketline.domain.limits import MAX_INPUTS, MAX_OBSERVABLE_TERMS, MAX_OBSERVABLES
from ketline.domain.tasks.seeds import derived_seed, fresh_seed
from ketline.qiskit.circuit_groups import CircuitGroup, groups_of
from ketline.qiskit.job import KetlinePrimitiveJob
from ketline.qiskit.options import EstimatorOptions, Seed, number_of
from ketline.qiskit.placement import device_options, without_layout
from ketline.qiskit.resets import without_resets
from ketline.qiskit.resolve_client import service_of
from ketline.qiskit.results.estimation import EstimatedPart, EstimatedPub, Estimation
from ketline.qiskit.results.experiments import experiment_of
from ketline.qiskit.sweeps import inputs_of, values_of
from ketline.qiskit.task_group import TaskRequest, submitted


@dataclass(frozen=True, slots=True)
class _Part:
    """A task; `positions` are the flat indices in a PUB's values, for each point and observable.

    `pubs` has the index of the PUB of each point.
    """

    request: TaskRequest
    positions: Sequence[Sequence[Sequence[int]]]
    pubs: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """A circuit without parameters, with observables of a point of a PUB; `whole` if they are all of that point."""

    pub: int
    circuit: Any
    observables: Sequence[Mapping[str, float]]
    positions: Sequence[Sequence[int]]
    whole: bool


# A point of a PUB, observables of it by index, and for each of them the flat indices of its values.
_Requested = tuple[int, Sequence[int], Sequence[Sequence[int]]]


class KetlineEstimator(BaseEstimatorV2):  # type: ignore[misc]
    """Computes exact expectation values, and adds noise with the standard error `precision`.

    It does the same as Qiskit's `StatevectorEstimator`. `service`, or `mode` or `backend` as other estimators call it,
    is a provider, a backend, a client or the URL of a service. `seed` is the seed of the noise: anything that numpy
    makes random numbers of. `options` are further ones of `EstimatorOptions`; all can be changed by the attribute
    `options`.

    On a backend that is a device, circuits run as they are, with its errors: their qubits, and those of observables,
    are the device's. Values without a precision are exact; with one they are estimated from shots, with readout errors,
    and have standard errors.
    """

    def __init__(
        self,
        service: Any = None,
        *,
        mode: Any = None,
        backend: Any = None,
        default_precision: float = 0.0,
        seed: Seed = None,
        method: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.service = service_of(service, mode, backend, devices=True)
        own = {"default_precision": default_precision, "seed": seed, "method": method}
        self.options = EstimatorOptions(**{**own, **(options or {})})

    @property
    def default_precision(self) -> float:
        return self.options.default_precision

    @property
    def seed(self) -> Seed:
        return self.options.seed

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> KetlinePrimitiveJob:
        """Submit all PUBs, usually one task for each or for several alike; the job's result is a `PrimitiveResult`.

        Raises:
            ValueError: an observable is not Hermitian.
            ClientError: the service rejected the PUBs, or it is unknown whether it stored them.
        """
        precision = self.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        device, seed = self.service.device, fresh_seed() if self.seed is None else self.seed
        prepared = list(map(without_resets if device is None else _as_it_is, coerced))
        parts = _parts_of(prepared, self.service.limits, self.options.for_tasks(), device)
        if device is not None:
            parts = list(_with_seeds(parts, number_of(seed)))
        estimation = Estimation(
            pubs=list(map(_described, coerced)),
            parts=[
                EstimatedPart(pubs=part.pubs, positions=part.positions, swept="inputs" in part.request[1])
                for part in parts
            ],
            seed=seed,
            sampled=device is not None,
        )
        group = submitted(self.service.client, [part.request for part in parts], estimation, self.options.tags)
        return KetlinePrimitiveJob(group, estimation)


def _as_it_is(pub: Any) -> Any:
    """A PUB for a device, without the layout of its circuit."""
    circuit = without_layout(pub.circuit)
    return EstimatorPub(circuit, pub.observables, pub.parameter_values, pub.precision, validate=False)


def _with_seeds(parts: Sequence[_Part], seed: int | None) -> Iterator[_Part]:
    """The tasks, those that draw shots with seeds of their own."""
    for number, part in enumerate(parts):
        circuit, options = part.request
        if "precision" in options and seed is not None:
            options = {**options, "seed": derived_seed(seed, "task", number)}
        yield replace(part, request=(circuit, options))


def _parts_of(
    pubs: Sequence[Any], limits: TaskLimits, options: Mapping[str, Any], device: str | None = None
) -> list[_Part]:
    """The tasks of PUBs, in the order of their first PUBs."""
    parts: list[_Part] = []
    # PUBs share tasks only if these have the same options.
    bound: dict[tuple[int, float], list[_Bound]] = {}
    for number, pub in enumerate(pubs):
        terms = terms_of(pub.observables)
        requested = list(_requested_of(pub, terms))
        if 0 < len(pub.circuit.parameters) <= MAX_INPUTS and requested:
            own = {**options, **_options_on(device, pub.circuit.num_qubits, pub.precision)}
            parts += _swept(pub, number, requested, terms, limits, own, with_delays=device is not None)
        elif requested:
            alike = (0, 0.0) if device is None else (pub.circuit.num_qubits, pub.precision)
            bound.setdefault(alike, []).extend(_bound_of(pub, number, requested, terms))
    for (qubits, precision), members in bound.items():
        own = {**options, **_options_on(device, qubits, precision)}
        parts += _grouped(members, limits, own, with_delays=device is not None)
    return sorted(parts, key=lambda part: part.pubs[0])


def _options_on(device: str | None, qubits: int, precision: float) -> Mapping[str, Any]:
    """The options of tasks on a device; none without one."""
    if device is None:
        return {}
    return {**device_options(device, qubits), **({"precision": precision} if precision else {})}


def _requested_of(pub: Any, terms: Sequence[Mapping[str, float]]) -> Iterator[_Requested]:
    """The observables of each point of a PUB, in slices that fit into one task."""
    for point, of_point in _described(pub).by_point().items():
        for part in _slices([len(terms[index]) for index in of_point]):
            yield point, list(of_point)[part], list(of_point.values())[part]


def _bound_of(
    pub: Any, number: int, requested: Sequence[_Requested], terms: Sequence[Mapping[str, float]]
) -> Iterator[_Bound]:
    circuits = pub.parameter_values.bind_all(pub.circuit).ravel()
    slices = Counter(point for point, _, _ in requested)
    for point, observables, positions in requested:
        yield _Bound(
            pub=number,
            circuit=circuits[point],
            observables=[terms[index] for index in observables],
            positions=positions,
            whole=slices[point] == 1,
        )


def _grouped(
    bound: Sequence[_Bound], limits: TaskLimits, options: Mapping[str, Any], *, with_delays: bool
) -> Iterator[_Part]:
    """Tasks of circuits without parameters, with one for all circuits of a group."""
    whole = [each for each in bound if each.whole]
    for each in bound:
        if not each.whole:
            alone = CircuitGroup(members=[0], circuit=serialized(each.circuit, with_delays=with_delays))
            yield _part_of(alone, [each], options)
    if not whole:
        return
    values = max(len(each.observables) for each in whole)
    terms = max(sum(map(len, each.observables)) for each in whole)
    label = max(len(label) for each in whole for label in each.observables[0])
    most = _most_points(limits, terms, label)
    circuits, characters = [each.circuit for each in whole], values * CHARACTERS_OF_A_NUMBER
    for group in groups_of(circuits, limits, characters, most, with_delays=with_delays):
        yield _part_of(group, [whole[member] for member in group.members], options)


def _part_of(group: CircuitGroup, members: Sequence[_Bound], options: Mapping[str, Any]) -> _Part:
    by_point = [each.observables for each in members]
    same = all(observables == by_point[0] for observables in by_point)
    options = {**options, "observables": by_point[0] if same else by_point}
    if group.inputs:
        options["inputs"] = group.inputs
    return _Part((group.circuit, options), [each.positions for each in members], [each.pub for each in members])


def _most_points(limits: TaskLimits, terms: int, label: int) -> int:
    """How many points fit into one task, by their numbers of terms and of letters in each term."""
    return max(1, min(MAX_OBSERVABLE_TERMS // terms, limits.input_characters // (terms * (label + 32))))


def _slices(terms: Sequence[int]) -> Iterator[slice]:
    """Slices of a point's observables, with these numbers of terms, of which each fits into one task."""
    first, total = 0, 0
    for number, more in enumerate(terms):
        if number - first == MAX_OBSERVABLES or (number > first and total + more > MAX_OBSERVABLE_TERMS):
            yield slice(first, number)
            first, total = number, 0
        total += more
    if terms:
        yield slice(first, len(terms))


def _swept(
    pub: Any,
    number: int,
    requested: Sequence[_Requested],
    terms: Sequence[Mapping[str, float]],
    limits: TaskLimits,
    options: Mapping[str, Any],
    *,
    with_delays: bool,
) -> Iterable[_Part]:
    """Tasks of many points each; observables that all points share are sent once."""
    circuit, values = serialized(pub.circuit, with_delays=with_delays), values_of(pub)
    same = len({tuple(observables) for _, observables, _ in requested}) == 1
    most_values = max(len(observables) for _, observables, _ in requested)
    most_terms = max(sum(len(terms[index]) for index in observables) for _, observables, _ in requested)
    label = len(next(iter(terms[0])))
    most = points_in_a_task(limits, values.shape[1], most_values * CHARACTERS_OF_A_NUMBER)
    if not same:
        most = min(most, _most_points(limits, most_terms, label))
    for part in portions(len(requested), most):
        points = [point for point, _, _ in requested[part]]
        by_point = [[terms[index] for index in observables] for _, observables, _ in requested[part]]
        inputs = inputs_of(circuit.parameters, values[points])
        yield _Part(
            (circuit, {**options, "inputs": inputs, "observables": by_point[0] if same else by_point}),
            [positions for _, _, positions in requested[part]],
            [number] * len(points),
        )


def _described(pub: Any) -> EstimatedPub:
    return EstimatedPub(
        points=pub.parameter_values.shape,
        observables=pub.observables.shape,
        precision=pub.precision,
        circuit=experiment_of(pub.circuit),
    )


def terms_of(observables: Any) -> list[dict[str, float]]:
    """Each observable as coefficients by Pauli label; projectors are expanded to sums of Paulis."""
    return [_terms(observable.as_paulis()) for observable in observables.ravel().sparse_observables_array()]


def _terms(observable: Any) -> dict[str, float]:
    identity = "I" * observable.num_qubits
    terms: dict[str, float] = {}
    for letters, qubits, factor in observable.simplify(tol=0).to_sparse_list():
        if factor.imag:
            raise ValueError("An observable is not Hermitian: it has complex coefficients.")
        label = list(identity)
        for letter, qubit in zip(letters, qubits, strict=True):
            label[-1 - qubit] = letter
        terms["".join(label)] = float(factor.real)
    return terms or {identity: 0.0}

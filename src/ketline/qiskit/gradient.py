"""The gradient of an estimator: exact derivatives of expectation values by the parameters of circuits, on a service."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.primitives.containers.observables_array import ObservablesArray

from ketline.client.convert.qiskit import serialized
from ketline.client.task_limits import CHARACTERS_OF_A_NUMBER, points_in_a_task, portions
from ketline.domain.results.gradients import GradientMethod
from ketline.qiskit.estimator import terms_of
from ketline.qiskit.job import KetlinePrimitiveJob
from ketline.qiskit.options import TaskOptions
from ketline.qiskit.placement import device_options, without_layout
from ketline.qiskit.resolve_client import service_of
from ketline.qiskit.results.differentiation import DifferentiatedPart, Differentiation
from ketline.qiskit.sweeps import inputs_of
from ketline.qiskit.task_group import TaskRequest, submitted


class KetlineEstimatorGradient:
    """Computes the derivatives of expectation values by the parameters of circuits, exactly.

    It has the interface of the estimator gradients of qiskit-algorithms, so that its algorithms, and networks of
    qiskit-machine-learning, take it as `gradient`. Points of one circuit are one task, and all parameters of a point
    cost about as much as four expectation values. `service`, `mode` or `backend` as of `KetlineEstimator`;
    `gradient_method` is "adjoint" or "parameter_shift". `options` are those of `TaskOptions`. On a backend that is a
    device, circuits run as they are, with its errors.
    """

    def __init__(
        self,
        service: Any = None,
        *,
        mode: Any = None,
        backend: Any = None,
        gradient_method: str = GradientMethod.AUTOMATIC.value,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.service = service_of(service, mode, backend, devices=True)
        self.gradient_method = GradientMethod(gradient_method)
        self.options = TaskOptions(**(options or {}))

    def run(
        self,
        circuits: QuantumCircuit | Sequence[QuantumCircuit],
        observables: Any,
        parameter_values: Sequence[Sequence[float]],
        parameters: Sequence[Sequence[Parameter] | None] | None = None,
        *,
        precision: float | Sequence[float] | None = None,
    ) -> KetlinePrimitiveJob:
        """Submit all circuits with their observables; the job's result has the gradient of each.

        `parameters` are those to differentiate by, for each circuit, by default all. `precision` has no effect: values
        are exact.

        Raises:
            ValueError: the lists differ in length, a circuit has no such parameters, or an observable is not Hermitian.
            ClientError: the service rejected the circuits, or it is unknown whether it stored them.
        """
        circuits = [circuits] if isinstance(circuits, QuantumCircuit) else list(circuits)
        observables = list(observables) if isinstance(observables, (list, tuple)) else [observables]
        chosen = [None] * len(circuits) if parameters is None else list(parameters)
        if not len(circuits) == len(observables) == len(parameter_values) == len(chosen):
            raise ValueError("Each circuit needs an observable, a list of parameter values and one of parameters.")
        requests: list[TaskRequest] = []
        parts: list[DifferentiatedPart] = []
        for circuit, names, members in _groups_of(circuits, chosen):
            terms = {member: terms_of(ObservablesArray.coerce([observables[member]]))[0] for member in members}
            values = {member: _values_of(circuit, parameter_values[member]) for member in members}
            for part, request in self._tasks_of(circuit, names, terms, values):
                parts.append(part)
                requests.append(request)
        plan = Differentiation(parts=parts)
        return KetlinePrimitiveJob(submitted(self.service.client, requests, plan, self.options.tags), plan)

    def _tasks_of(
        self,
        circuit: QuantumCircuit,
        names: Sequence[str],
        terms: Mapping[int, Mapping[str, float]],
        values: Mapping[int, Any],
    ) -> Iterator[tuple[DifferentiatedPart, TaskRequest]]:
        """Sweeps over the points of one circuit, as many as its points need."""
        device = self.service.device
        circuit = circuit if device is None else without_layout(circuit)
        program, members = serialized(circuit, with_delays=device is not None), list(terms)
        inputs = dict(zip((one.name for one in circuit.parameters), program.parameters, strict=True))
        chosen = [inputs[name] for name in names]
        most = points_in_a_task(self.service.limits, len(inputs), (len(names) + 1) * CHARACTERS_OF_A_NUMBER)
        for part in portions(len(members), most):
            own = members[part]
            options = {
                **self.options.for_tasks(),
                **device_options(device, circuit.num_qubits),
                "inputs": inputs_of(program.parameters, np.array([values[member] for member in own])),
                "observables": [[terms[member]] for member in own],
                "gradient": {"inputs": chosen, "method": self.gradient_method.value},
            }
            yield DifferentiatedPart(circuits=own, inputs=chosen, parameters=list(names)), (program, options)


def _groups_of(
    circuits: Sequence[QuantumCircuit], chosen: Sequence[Sequence[Parameter] | None]
) -> Iterator[tuple[QuantumCircuit, Sequence[str], Sequence[int]]]:
    """Each circuit with the names of the parameters to differentiate by, and the indices at which both occur."""
    groups: dict[tuple[int, tuple[str, ...]], list[int]] = {}
    for number, (circuit, parameters) in enumerate(zip(circuits, chosen, strict=True)):
        known = {one.name for one in circuit.parameters}
        names = tuple(one.name for one in (circuit.parameters if parameters is None else parameters))
        if not names or not known.issuperset(names):
            raise ValueError(f"Circuit {number} has no parameters, or not those that its gradient is to be taken by.")
        groups.setdefault((id(circuit), names), []).append(number)
    for (_, names), members in groups.items():
        yield circuits[members[0]], names, members


def _values_of(circuit: QuantumCircuit, values: Sequence[float]) -> Any:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (circuit.num_parameters,):
        raise ValueError(f"A circuit has {circuit.num_parameters} parameters, not values of shape {found.shape}.")
    return found

"""The provider and the backend: run Qiskit circuits on a service with `backend.run`."""

from collections.abc import Mapping, Sequence
from typing import Any

from qiskit.circuit import (
    BoxOp,
    BreakLoopOp,
    ContinueLoopOp,
    Delay,
    ForLoopOp,
    IfElseOp,
    Measure,
    Parameter,
    QuantumCircuit,
    Reset,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import UnitaryGate, get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2, Options
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData
from qiskit.transpiler import Target

from ketline.client import Client
from ketline.domain.seeds import derived_seed
from ketline.qiskit.job import KetlineJob, TaskGroup, TaskRequest
from ketline.qiskit.resolve_client import client_of, description_of
from ketline.qiskit.serialization import serialized

# Added to the target as classes, because they act on any number of qubits and bits.
_VARIABLE_SIZE = {
    "box": BoxOp,
    "if_else": IfElseOp,
    "store": Store,
    "switch_case": SwitchCaseOp,
    "for_loop": ForLoopOp,
    "while_loop": WhileLoopOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
}


class KetlineProvider:
    """The backends of the service at `url`, or at `KETLINE_URL` without one."""

    def __init__(self, url: str | None = None, *, api_key: str | None = None, client: Client | None = None) -> None:
        self.client = client or Client(url, api_key=api_key)

    def __repr__(self) -> str:
        return f"<KetlineProvider of {self.client!r}>"

    def backends(self, name: str | None = None) -> list["KetlineBackend"]:
        """All backends, or the one of this name."""
        backend = KetlineBackend(self)
        return [backend] if name in (None, backend.name) else []

    def get_backend(self, name: str | None = None) -> "KetlineBackend":
        """The backend of this name; without a name, the only one.

        Raises:
            QiskitError: no backend has this name.
        """
        found = self.backends(name)
        if not found:
            raise QiskitError(f"There is no backend {name!r}; this service has {KetlineBackend(self).name!r}.")
        return found[0]


class KetlineBackend(BackendV2):  # type: ignore[misc]
    """Ideal simulation by a service. It has no coupling map: transpilation only changes unsupported operations.

    `service` is a provider, a client or the URL of a service.
    """

    def __init__(self, service: Any = None, **options: Any) -> None:
        self.client: Client = client_of(service)
        self._service_description = description_of(self.client)
        super().__init__(
            provider=service if isinstance(service, KetlineProvider) else None,
            name=self._service_description["name"],
            description=self._service_description["description"],
            backend_version=self._service_description["versions"].get("ketline"),
            **options,
        )
        self._target = _target_of(self._service_description)

    @property
    def target(self) -> Any:
        return self._target

    @property
    def max_circuits(self) -> int | None:
        return None

    @classmethod
    def _default_options(cls) -> Any:
        return Options(shots=1024, memory=False, seed_simulator=None, method=None)

    def run(self, run_input: Any, **options: Any) -> KetlineJob:
        """Submit circuits, each as a task; options are `shots`, `memory`, `seed_simulator` and `method`.

        `seed_simulator` is the seed of the first circuit; the seeds of the others are derived from it and are part of
        the result.

        Raises:
            QiskitError: a circuit has parameters without values, or an option does not exist.
            ClientError: the service rejected the circuits, or it is unknown whether it stored them.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        run_options = self._run_options(options)
        group = TaskGroup(
            self.client,
            [_task_of(circuit, run_options | _seed_of(run_options, number)) for number, circuit in enumerate(circuits)],
        )
        return KetlineJob(self, group, lambda results: self._result(group.job_id, circuits, results))

    def _run_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        known = dict(self.options)
        if unknown := sorted(options.keys() - known.keys()):
            raise QiskitError(f"There is no option {unknown[0]!r}; there are {', '.join(sorted(known))}.")
        run_options = {**known, **options}
        run_options["seed"] = run_options.pop("seed_simulator")
        return {**run_options, "memory": run_options["memory"] or None}

    def _result(self, job_id: str, circuits: Sequence[Any], results: Sequence[Any]) -> Any:
        found = [_experiment(circuit, result) for circuit, result in zip(circuits, results, strict=True)]
        return Result(
            backend_name=self.name,
            backend_version=self.backend_version,
            job_id=job_id,
            success=True,
            status="COMPLETED",
            results=found,
        )


def _seed_of(options: Mapping[str, Any], number: int) -> dict[str, Any]:
    seed = options["seed"]
    return {"seed": derived_seed(int(seed), "circuit", number) if number and seed is not None else seed}


def _task_of(circuit: Any, options: Mapping[str, Any]) -> TaskRequest:
    if circuit.parameters:
        raise QiskitError(f"Circuit {circuit.name!r} has parameters without values: assign them first.")
    return serialized(circuit), dict(options)


def _experiment(circuit: Any, result: Any) -> Any:
    keys = {key: hex(int(key.replace(" ", ""), 2)) for key in result.counts}
    data: dict[str, Any] = {"counts": {keys[key]: count for key, count in result.counts.items()}}
    if result.memory is not None:
        data["memory"] = [keys[key] for key in result.memory]
    header = {
        "name": circuit.name,
        "creg_sizes": [[register.name, register.size] for register in circuit.cregs],
        "memory_slots": len(next(iter(keys)).replace(" ", "")),
        "n_qubits": circuit.num_qubits,
        "metadata": circuit.metadata or {},
    }
    return ExperimentResult(
        shots=result.shots,
        success=True,
        data=ExperimentResultData(**data),
        status="DONE",
        seed=result.seed,
        header=header,
    )


def _target_of(service: Mapping[str, Any]) -> Any:
    target = Target(description=service["description"], num_qubits=service["limits"]["max_qubits"])
    gates = get_standard_gate_name_mapping()
    for name in sorted(gates.keys() & set(service["gates"])):
        target.add_instruction(gates[name], {None: None}, name=name)
    for operation in (Measure(), Reset()):
        target.add_instruction(operation, {None: None})
    target.add_instruction(Delay(Parameter("t")), {None: None})
    target.add_instruction(UnitaryGate, name="unitary")
    for name, operation in _VARIABLE_SIZE.items():
        target.add_instruction(operation, name=name)
    return target

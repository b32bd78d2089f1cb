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
from ketline.domain.seeds import derived_seed, point_seed
from ketline.qiskit.circuit_groups import CircuitGroup, groups_of
from ketline.qiskit.job import KetlineJob, TaskGroup
from ketline.qiskit.resolve_client import client_of, description_of, task_limits
from ketline.qiskit.sweeps import characters_of_counts

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
        """Submit circuits; options are `shots`, `memory`, `seed_simulator` and `method`.

        Each circuit is a task, except that small ones which differ in angles only share tasks. `seed_simulator` is the
        seed of the first task; all other seeds are derived from it. The result has the seed of each circuit.

        Raises:
            QiskitError: a circuit has parameters without values, or an option does not exist.
            ClientError: the service rejected the circuits, or it is unknown whether it stored them.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        run_options = self._run_options(options)
        groups = self._groups(circuits, run_options)
        tasks = TaskGroup(
            self.client,
            [
                (group.circuit, run_options | _seed_of(run_options, group.members[0]) | _inputs_of(group))
                for group in groups
            ],
        )
        return KetlineJob(self, tasks, lambda results: self._result(tasks.job_id, circuits, groups, results))

    def _groups(self, circuits: Sequence[Any], run_options: Mapping[str, Any]) -> Sequence[CircuitGroup]:
        for circuit in circuits:
            if circuit.parameters:
                raise QiskitError(f"Circuit {circuit.name!r} has parameters without values: assign them first.")
        shots, memory = run_options["shots"], bool(run_options["memory"])
        characters = [characters_of_counts(circuit, shots, memory=memory) for circuit in circuits]
        return groups_of(circuits, task_limits(self._service_description), max(characters, default=0))

    def _run_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        known = dict(self.options)
        if unknown := sorted(options.keys() - known.keys()):
            raise QiskitError(f"There is no option {unknown[0]!r}; there are {', '.join(sorted(known))}.")
        run_options = {**known, **options}
        run_options["seed"] = run_options.pop("seed_simulator")
        return {**run_options, "memory": run_options["memory"] or None}

    def _result(
        self, job_id: str, circuits: Sequence[Any], groups: Sequence[CircuitGroup], results: Sequence[Any]
    ) -> Any:
        found: list[Any] = [None] * len(circuits)
        for group, result in zip(groups, results, strict=True):
            for point, member in enumerate(group.members):
                found[member] = _experiment(circuits[member], result, point, swept=bool(group.inputs))
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


def _inputs_of(group: CircuitGroup) -> dict[str, Any]:
    return {"inputs": group.inputs} if group.inputs else {}


def _experiment(circuit: Any, result: Any, point: int, *, swept: bool) -> Any:
    """The part of the result of a circuit that is this point of a task."""
    counts = result.points[point]
    keys = {key: hex(int(key.replace(" ", ""), 2)) for key in counts}
    data: dict[str, Any] = {"counts": {keys[key]: count for key, count in counts.items()}}
    if result.memories is not None:
        data["memory"] = [keys[key] for key in result.memories[point]]
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
        seed=point_seed(result.seed, point) if swept else result.seed,
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

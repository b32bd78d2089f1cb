"""The backends: run Qiskit circuits on a service, or on a device there, with `backend.run`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from qiskit.circuit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2

from ketline.client import Client, ClientError
from ketline.qiskit.devices import device_target
from ketline.qiskit.job import KetlineJob
from ketline.qiskit.options import RunOptions, default_run_options, known_options, require_supported, run_options
from ketline.qiskit.requests import bound_circuits, run_of
from ketline.qiskit.resolve_client import Service, service_of
from ketline.qiskit.target import target_of
from ketline.qiskit.task_group import submitted


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """Whether the service responds and has workers, and how many tasks wait."""

    backend_name: str
    backend_version: str | None
    operational: bool
    pending_jobs: int
    status_msg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendConfiguration:
    """The properties of the backend, by the names of Qiskit's earlier backends."""

    backend_name: str
    backend_version: str | None
    description: str
    n_qubits: int
    basis_gates: Sequence[str]
    max_shots: int | None = None
    max_experiments: int | None = None
    coupling_map: Sequence[Sequence[int]] | None = None
    simulator: bool = True
    local: bool = False
    conditional: bool = True
    memory: bool = True
    open_pulse: bool = False
    supported_instructions: Sequence[str] = field(default_factory=tuple)

    @property
    def num_qubits(self) -> int:
        return self.n_qubits

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class KetlineBackend(BackendV2):  # type: ignore[misc]
    """Simulates circuits on a service, ideally or with the `noise_model` of a run.

    It has no coupling map: transpilation only changes unsupported operations.

    `service` is a provider, a client or the URL of a service. A copy shares the client, so closing that of one closes
    it for all.
    """

    def __init__(self, service: Any = None, **options: Any) -> None:
        self.service: Service = service_of(service)
        self._describe(service, self.service.description, options)
        self._target = target_of(self.service.description)

    def _describe(self, service: Any, described: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Have the name, the description and the options of a backend."""
        self.client: Client = self.service.client
        require_supported(options)
        super().__init__(
            provider=service if hasattr(service, "get_backend") else None,
            name=described["name"],
            description=described["description"],
            backend_version=self.service.description["versions"].get("ketline"),
            **options,
        )
        run_options(dict(self.options))

    @property
    def target(self) -> Any:
        return self._target

    @property
    def max_circuits(self) -> int | None:
        return None

    @classmethod
    def _default_options(cls) -> Any:
        return default_run_options()

    def set_options(self, **fields: Any) -> None:
        """Set options of all further runs.

        Raises:
            AttributeError: an option does not exist.
            QiskitError: the value of an option is not possible, or it is one of AerSimulator that a service has not.
        """
        require_supported(fields)
        known = dict(self.options)
        if fields.keys() <= known.keys():
            run_options({**known, **fields})
        super().set_options(**fields)

    def run(
        self, run_input: Any, *, parameter_binds: Sequence[Mapping[Any, Any]] | None = None, **options: Any
    ) -> KetlineJob:
        """Submit circuits; the options are those of `backend.options`.

        With `noise_model`, a `NoiseModel` of qiskit_aer, gates and measurements have its errors. What `save_*`
        instructions of qiskit_aer save is in the result under their labels, as AerSimulator returns it.

        Each circuit is a task, except that small ones which differ in angles only share tasks, and that one with more
        shots than the service allows is several. `seed_simulator` is the seed of the first task; all other seeds are
        derived from it. A list has a seed for each circuit. The result has the seed of each circuit.

        `parameter_binds` has for each circuit the values of its parameters: numbers, or lists of them. The circuit is
        run once for each value, as on Aer's simulator.

        Raises:
            QiskitError: a circuit has parameters without values, or saves what is not supported; an option does not
                exist, or its value is not possible.
            ClientError: the service rejected the circuits, or it is unknown whether it stored them.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        circuits = bound_circuits(circuits, parameter_binds)
        chosen = self._chosen(options)
        run, requests = run_of(circuits, chosen, self.service.limits)
        group = submitted(self.client, requests, run, chosen.for_tasks["tags"] or ())
        return KetlineJob(self, group, run)

    def on_device(self, name: str) -> "KetlineDevice":
        """The device of this name as a backend; it may have been removed since it ran a job."""
        return KetlineDevice(self.provider or self, entry={"name": name, "description": ""})

    def _chosen(self, options: Mapping[str, Any]) -> RunOptions:
        return run_options(known_options(dict(self.options), options))

    def status(self) -> BackendStatus:
        """Whether the service responds and has workers, and how many of its tasks wait."""
        try:
            operational = bool(self.client.workers())
            pending = self.client.statistics().counts.get("pending", 0)
            message = "active" if operational else "no worker is running"
        except ClientError as error:
            operational, pending, message = False, 0, str(error)
        return BackendStatus(
            backend_name=self.name,
            backend_version=self.backend_version,
            operational=operational,
            pending_jobs=pending,
            status_msg=message,
        )

    def properties(self) -> None:
        """None, as of each ideal simulator: there are no errors and no calibration."""

    def configuration(self) -> BackendConfiguration:
        """The properties of the backend, for programs that read them here; others read `target`."""
        return BackendConfiguration(
            backend_name=self.name,
            backend_version=self.backend_version,
            description=self.description,
            n_qubits=self.num_qubits,
            basis_gates=[name for name in self.operation_names if name in self.service.description["gates"]],
            supported_instructions=self.operation_names,
        )


class KetlineDevice(KetlineBackend):
    """A device of a service, whose gates have its errors: `transpile` to it has its gates and its couplings.

    `name` is that of the device. `target` is what the device is when it is first read, `run` uses what it is then. The
    qubits of circuits are those of the device, by number; operations that the device does not have are replaced.
    """

    def __init__(
        self, service: Any = None, name: str = "", *, entry: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        plain = service_of(service, devices=True)
        described = _entry(plain.client, name) if entry is None else entry
        self.service = plain.on_device(described["name"])
        self._describe(service, described, options)
        self._target = None

    @property
    def target(self) -> Any:
        if self._target is None:
            self._target = device_target(self.client.device(self.name))
        return self._target

    def _chosen(self, options: Mapping[str, Any]) -> RunOptions:
        chosen = super()._chosen(options)
        if chosen.noise is not None:
            raise QiskitError("The option 'noise_model' cannot be given: circuits run with the errors of the device.")
        return replace(chosen, device=self.service.device)

    def configuration(self) -> BackendConfiguration:
        """The properties of the device, for programs that read them here; others read `target`."""
        pairs = self.target.build_coupling_map()
        return replace(
            super().configuration(), coupling_map=[] if pairs is None else [list(pair) for pair in pairs.get_edges()]
        )


def _entry(client: Client, name: str) -> Mapping[str, Any]:
    """The entry of a device in the list of devices.

    Raises:
        QiskitError: there is no device of this name.
    """
    found = [entry for entry in client.devices() if entry["name"] == name]
    if not found:
        raise QiskitError(f"There is no device {name!r}: `Client.devices()` lists all.")
    return found[0]

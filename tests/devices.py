"""Devices and backends of Qiskit's for tests, and tasks that run on a device."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qiskit.providers import BackendV2, Options
from qiskit.transpiler import Target

from ketline.device_target import target_of_device
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.device import Device, device_from_json
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.protocol.requests import Command, Request
from tests.circuits import as_qpy

Edge = tuple[int, int]
LINE_EDGES = ((0, 1), (1, 2), (2, 3), (3, 4))
RING_EDGES = (*LINE_EDGES, (4, 0))
GATES_ON_ONE = ("id", "rz", "sx", "x")


def device_of(
    edges: Iterable[Edge] = LINE_EDGES,
    qubits: int = 5,
    *,
    two_qubit: str = "cx",
    one_qubit: Sequence[str] = GATES_ON_ONE,
    name: str = "small",
    noisy: bool = True,
    of_qubit: Mapping[str, Any] | None = None,
    reset: bool = True,
) -> Device:
    """A device with these couplings, each in the one direction given; its errors are large, or all 0."""
    numbers = {"t1_us": 60.0, "t2_us": 50.0, "p01": 0.02, "p10": 0.04} if noisy else {}
    one = [(gate, [qubit]) for gate in (*one_qubit, *(["reset"] if reset else [])) for qubit in range(qubits)]
    gates = [
        {"name": gate, "qubits": operands, **_properties(gate, noisy=noisy, number=sum(operands))}
        for gate, operands in [*one, *((two_qubit, list(edge)) for edge in edges)]
    ]
    each = [{**numbers, **(of_qubit or {})} for _ in range(qubits)]
    return device_from_json({"name": name, "dt_ns": 1.0, "qubits": each, "gates": gates})


def _properties(gate: str, *, noisy: bool, number: int) -> Mapping[str, float]:
    if not noisy or gate in ("rz", "reset"):
        return {}
    wide = gate in ("cx", "cz", "ecr", "rzz", "cp")
    return {"error": (0.03 if wide else 0.006) + 0.002 * number, "duration_ns": 400.0 if wide else 50.0}


def piece_of(device: Device, qubits: Sequence[int]) -> Device:
    """Some qubits of a device, numbered from 0, with the gates on them: Aer's model of all takes half a minute."""
    numbers = {qubit: number for number, qubit in enumerate(qubits)}
    document: Any = device.as_json()
    gates = [
        {**gate, "qubits": [numbers[qubit] for qubit in gate["qubits"]]}
        for gate in document["gates"]
        if set(gate["qubits"]) <= numbers.keys()
    ]
    return device_from_json(
        {**document, "name": "piece", "qubits": [document["qubits"][one] for one in qubits], "gates": gates}
    )


class TargetBackend(BackendV2):  # type: ignore[misc]
    """A backend that has only a target, for `NoiseModel.from_backend`."""

    def __init__(self, target: Target) -> None:
        super().__init__(name="target")
        self._target = target

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> int | None:
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        raise NotImplementedError


def backend_of(device: Device) -> TargetBackend:
    """The device as a backend of Qiskit's."""
    return TargetBackend(target_of_device(device))


def run_on(device: Device, **options: Any) -> DeviceRun:
    """What a task has after its submission."""
    return DeviceRun(name=device.name, digest=device.digest, text=device.text, **options)


def request_on(
    device: Device,
    program: Any,
    *,
    shots: int = 1000,
    seed: int = 5,
    method: Method = Method.AUTOMATIC,
    inputs: Inputs | None = None,
    command: Command = Command.RUN,
    memory: bool = False,
    noise_of_task: Any = None,
    form: ProgramFormat | None = None,
    of_task: Mapping[str, Any] | None = None,
    **options: Any,
) -> Request:
    """A request to run a program, text or a circuit of Qiskit's, on a device.

    `of_task` are further options of the task, and `options` those of the device's run.
    """
    is_text = isinstance(program, str)
    chosen = RunOptions(
        seed=seed,
        method=method,
        memory=memory,
        noise=noise_of_task,
        format=form or (ProgramFormat.OPENQASM3 if is_text else ProgramFormat.QPY),
        device=run_on(device, **options),
        **(of_task or {}),
    )
    text = program if is_text else as_qpy(program)
    return Request(TaskSpec(circuit=text, shots=shots, options=chosen, inputs=inputs or {}), command=command)

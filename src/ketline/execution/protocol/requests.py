"""The request of a runner: a command for one program."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.devices.stored_noise import StoredNoise
from ketline.domain.results.gradients import requested_gradient
from ketline.domain.results.mitigation import mitigation_of
from ketline.domain.results.outputs import requested_output
from ketline.domain.tasks.inspection import Drawing
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.protocol.fields import fields_of


class Command(StrEnum):
    """The work that a child does with the program of a request."""

    RUN = "run"
    CONVERT = "convert"
    INSPECT = "inspect"
    DRAW = "draw"


@dataclass(frozen=True, slots=True)
class Request:
    """A command for one program. The response repeats its `token`, so that the parent can match the two.

    A spec without a time limit runs under the limit of the process. `drawing` is the format of a drawing. The process
    receives only the fields of the spec that it needs to read and run the program; the others keep their defaults.
    Programs of different projects share no caches.
    """

    spec: TaskSpec
    token: str = ""
    command: Command = Command.RUN
    drawing: Drawing = Drawing.TEXT
    project: ProjectName = DEFAULT_PROJECT


def encode_request(request: Request) -> bytes:
    spec = request.spec
    message = {
        "circuit": spec.circuit,
        "shots": spec.shots,
        "inputs": spec.inputs,
        "options": fields_of(spec.options),
        "time_limit_seconds": spec.time_limit_seconds,
        "kind": spec.kind,
        "target": spec.target,
        "profile": spec.profile,
        "bitcode": spec.bitcode,
        "max_qubits": spec.max_qubits,
        "token": request.token,
        "command": request.command,
        "drawing": request.drawing,
        "project": request.project,
    }
    return json.dumps(message, default=fields_of).encode()


def decode_request(data: bytes) -> Request:
    message = json.loads(data)
    spec = TaskSpec(
        circuit=message["circuit"],
        shots=message["shots"],
        inputs=message["inputs"],
        options=_decode_options(message["options"]),
        time_limit_seconds=message["time_limit_seconds"],
        kind=TaskKind(message["kind"]),
        target=None if message["target"] is None else Target(message["target"]),
        profile=None if message["profile"] is None else QirProfile(message["profile"]),
        bitcode=message["bitcode"],
        max_qubits=message["max_qubits"],
    )
    return Request(
        spec,
        message["token"],
        Command(message["command"]),
        Drawing(message["drawing"]),
        ProjectName(message["project"]),
    )


def _decode_options(data: dict[str, Any]) -> RunOptions:
    return RunOptions(
        seed=data["seed"],
        method=Method(data["method"]),
        memory=data["memory"],
        format=ProgramFormat(data["format"]),
        observables=tuple(data["observables"]),
        noise=_decode_noise(data["noise"]),
        outputs=tuple(map(requested_output, data["outputs"])),
        sampled=data["sampled"],
        precision=data["precision"],
        mitigation=mitigation_of(data["mitigation"]),
        gradient=requested_gradient(data["gradient"]),
        device=None if data["device"] is None else _decode_device(data["device"]),
    )


def _decode_noise(data: Any) -> Any:
    """Decode noise: only a stored noise model has exactly the keys `digest` and `text`."""
    if isinstance(data, dict) and data.keys() == {"digest", "text"}:
        return StoredNoise(**data)
    return data


def _decode_device(data: dict[str, Any]) -> DeviceRun:
    layout = data["initial_layout"]
    return DeviceRun(**data | {"initial_layout": None if layout is None else tuple(layout)})

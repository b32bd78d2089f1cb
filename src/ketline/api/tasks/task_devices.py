"""The devices of submissions: found by their names, with what they are now."""

import json
from dataclasses import replace

from fastapi import Request

from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import services_of
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.errors import DeviceNotFound
from ketline.domain.tasks.spec import TaskSpec
from ketline.schemas.problems import FieldError

_FIELD = "device"


async def with_device(request: Request, spec: TaskSpec, path: tuple[str | int, ...] = ()) -> TaskSpec:
    """Return a spec whose device, if it has one, is what the project has of its name; `path` is that of the spec.

    Raises:
        HTTPProblem: there is no such device, or it lacks qubits of the layout.
        DatabaseUnavailable: it could not be read.
    """
    if (run := spec.options.device) is None:
        return spec
    try:
        found = await services_of(request).task_devices.find(run)
    except DeviceNotFound as error:
        pointer = f"#/{'/'.join(map(str, (*path, _FIELD)))}"
        detail = FieldError(pointer=pointer, detail="is not a device of this project")
        raise HTTPProblem("device_unknown", str(error), errors=[detail]) from error
    _require_qubits(found, path)
    return replace(spec, options=replace(spec.options, device=found))


def _require_qubits(run: DeviceRun, path: tuple[str | int, ...]) -> None:
    if run.initial_layout is None:
        return
    qubits = len(json.loads(run.text)["qubits"])
    place = ("body", *path, _FIELD, "initial_layout")
    beyond = [
        {
            "type": _FIELD,
            "loc": (*place, entry),
            "msg": f"must be a qubit of the device, 0 to {qubits - 1}, not {qubit}",
        }
        for entry, qubit in enumerate(run.initial_layout)
        if qubit >= qubits
    ]
    if beyond:
        raise invalid_request(beyond)

"""The routes of devices: list, read, store and remove them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response, status
from pydantic import TypeAdapter, ValidationError

from ketline.api.openapi import body_of, problem_responses
from ketline.api.requests.body import require_json
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_body, invalid_device
from ketline.api.responses.representation import represented
from ketline.api.services import actor_of, services_of
from ketline.domain.devices.device import Device, device_from_json
from ketline.domain.devices.device_list import DeviceEntry
from ketline.domain.errors import DeviceInvalid, DeviceNotFound, DeviceReserved, TooManyDevices
from ketline.domain.limits import MAX_DEVICE_BYTES, MAX_DEVICE_NAME_CHARACTERS
from ketline.schemas.devices import DeviceDocument, DeviceList, DeviceView

router = APIRouter(prefix="/devices", tags=["service"])

Name = Annotated[str, Path(max_length=MAX_DEVICE_NAME_CHARACTERS, description="Name of the device")]

_JSON: TypeAdapter[Any] = TypeAdapter(Any)
_EXAMPLE = {
    "qubits": [{"t1_us": 120, "t2_us": 90, "p01": 0.01, "p10": 0.02}, {"t1_us": 150, "t2_us": 110}],
    "gates": [{"name": "cz", "qubits": [0, 1], "error": 0.004, "duration_ns": 68}],
}


@router.get(
    "",
    operation_id="list_devices",
    response_model_exclude_none=True,
    responses=problem_responses("invalid_request", "database_unavailable"),
)
async def list_devices(request: Request) -> DeviceList:
    """List the devices that are shipped and those of the project, without their qubits and gates."""
    require_known_parameters(request)
    return DeviceList(devices=[view_device(entry) for entry in await services_of(request).devices.devices()])


@router.get(
    "/{name}",
    operation_id="read_device",
    response_model=DeviceDocument,
    responses={
        206: {"description": "The requested bytes"},
        304: {"description": "The client has this content already"},
        **problem_responses("device_not_found", "range_not_satisfiable", "invalid_request", "database_unavailable"),
    },
)
async def read_device(name: Name, request: Request) -> Response:
    """Read a device as it can be stored again. Its `ETag` changes with its content."""
    require_known_parameters(request)
    with problems_of_devices():
        content = await services_of(request).devices.content(name)
    return await represented(request, content.encode(), "application/json")


@router.put(
    "/{name}",
    operation_id="store_device",
    response_model_exclude_none=True,
    responses={
        201: {"model": DeviceView, "description": "There was no device of this name"},
        **problem_responses(
            "device_reserved",
            "too_many_devices",
            "body_too_large",
            "unsupported_media_type",
            "device_invalid",
            "invalid_request",
            "invalid_json",
            "database_unavailable",
        ),
    },
    openapi_extra={"requestBody": body_of(DeviceDocument, _EXAMPLE)},
)
async def store_device(name: Name, request: Request, response: Response) -> DeviceView:
    """Store a device in the project, instead of the one of this name if there is one. Tasks that were submitted with
    that one keep its content."""
    require_known_parameters(request)
    body = await request.body()
    require_json(request.headers, body)
    if len(body) > MAX_DEVICE_BYTES:
        raise HTTPProblem("body_too_large", f"A device may have {MAX_DEVICE_BYTES:,} bytes; this one has more.")
    with problems_of_devices():
        device = await asyncio.to_thread(_device_in, body, name)
        entry, created = await services_of(request).devices.put(device, actor_of(request))
    if created:
        response.status_code = status.HTTP_201_CREATED
        response.headers["Location"] = f"/devices/{name}"
    return view_device(entry)


@router.delete(
    "/{name}",
    operation_id="remove_device",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses("device_not_found", "device_reserved", "invalid_request", "database_unavailable"),
)
async def remove_device(name: Name, request: Request) -> None:
    """Remove a device of the project. Tasks that were submitted with it keep its content."""
    require_known_parameters(request)
    with problems_of_devices():
        await services_of(request).devices.remove(name, actor_of(request))


def view_device(entry: DeviceEntry) -> DeviceView:
    """The representation of an entry of the list."""
    return DeviceView.model_validate({name: getattr(entry, name) for name in DeviceView.model_fields})


def _device_in(body: bytes, name: str) -> Device:
    """The device that the body of a request describes, under the name in its path; takes tens of milliseconds."""
    try:
        value = _JSON.validate_json(body)
    except ValidationError as error:
        raise invalid_body(error) from error
    if not isinstance(value, dict) or value.get("name") is None:
        return device_from_json({**value, "name": name} if isinstance(value, dict) else value)
    if value["name"] != name:
        raise DeviceInvalid(("name",), "must be that of the path, or left out")
    return device_from_json(value)


@contextmanager
def problems_of_devices() -> Iterator[None]:
    """Around a call: converts its errors to problems."""
    try:
        yield
    except DeviceInvalid as error:
        raise invalid_device(error) from error
    except (DeviceNotFound, DeviceReserved, TooManyDevices) as error:
        raise HTTPProblem(error.code, str(error)) from error

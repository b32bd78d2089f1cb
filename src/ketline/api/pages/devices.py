"""The pages of devices: the list, with a form that adds one, and what a device is."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.devices import problems_of_devices
from ketline.api.pages.forms import field, read_form
from ketline.api.pages.responses import page
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import actor_of, services_of
from ketline.domain.devices.device import Device, device_from_text
from ketline.domain.devices.device_list import DeviceEntry, no_device
from ketline.domain.limits import MAX_DEVICE_NAME_CHARACTERS
from ketline.service.devices import ManageDevices
from ketline.web.coupling import WIDTH
from ketline.web.device_tables import MAX_ROWS, coupling_gates, drawn_lines, summaries

router = APIRouter(prefix="/ui/devices", include_in_schema=False)


@router.get("")
async def show_devices(request: Request) -> Response:
    """Show all devices."""
    return await _list(request)


@router.post("")
async def store_device(request: Request) -> Response:
    """Store the device of the form, and show it; a text that describes none is shown again with what is wrong."""
    form = await read_form(request)
    text, name = field(form, "device"), field(form, "name").strip()
    try:
        with problems_of_devices():
            device = await asyncio.to_thread(device_from_text, text.encode(), name or None)
            await services_of(request).devices.put(device, actor_of(request))
    except HTTPProblem as problem:
        return await _list(request, text=text, name=name, problem=problem)
    return RedirectResponse(f"devices/{device.name}", status_code=303)


@router.get("/{name}")
async def show_device(name: str, request: Request) -> Response:
    """Show a device: its couplings as a drawing, its gates and its qubits."""
    with problems_of_devices():
        entry, device = await _found(services_of(request).devices, name)
    return page(request, "device.html", {"entry": entry, **await asyncio.to_thread(_shown, device)})


@router.post("/{name}/remove")
async def remove_device(name: str, request: Request) -> Response:
    """Remove a device, and show the others."""
    with problems_of_devices():
        await services_of(request).devices.remove(name, actor_of(request))
    return RedirectResponse("../../devices", status_code=303)


async def _list(request: Request, *, text: str = "", name: str = "", problem: HTTPProblem | None = None) -> Response:
    shown = {
        "devices": await services_of(request).devices.devices(),
        "text": text,
        "name": name,
        "problem": None if problem is None else problem.detail,
        "longest_name": MAX_DEVICE_NAME_CHARACTERS,
    }
    return page(request, "devices.html", shown, status=200 if problem is None else problem.status_code)


async def _found(devices: ManageDevices, name: str) -> tuple[DeviceEntry, Device]:
    content = await devices.content(name)
    entry = next((one for one in await devices.devices() if one.name == name), None)
    if entry is None:
        # It was removed between the two.
        raise no_device(name)
    return entry, await asyncio.to_thread(device_from_text, content.encode())


def _shown(device: Device) -> dict[str, object]:
    couplings = coupling_gates(device)
    drawn = drawn_lines(device)
    return {
        "device": device,
        "gates": summaries(device),
        "couplings": couplings[:MAX_ROWS],
        "all_couplings": len(couplings),
        "qubits": device.qubits[:MAX_ROWS],
        "drawing": None if drawn is None else drawn[0],
        "lines": () if drawn is None else drawn[1],
        "width": WIDTH,
    }

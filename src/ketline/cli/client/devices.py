"""The commands `ketline devices`: add, list, show and remove the devices of a service."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from ketline.cli.client.sources import STDIN
from ketline.cli.exit_codes import USAGE_ERROR, fail
from ketline.cli.options import AsJson, Url, client_of
from ketline.domain.limits import MAX_DEVICE_BYTES

DeviceFile = Annotated[str, typer.Argument(metavar="FILE", help="A device as JSON, or - for standard input.")]
DeviceName = Annotated[str, typer.Argument(metavar="NAME", help="The name of a device, as list prints it.")]


def add_device(
    file: DeviceFile,
    name: Annotated[str | None, typer.Option(help="Its name; default: that in the file.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Add a device, or replace the one of its name. specs/devices.md has the format; ketline.qiskit.export_device makes
    it from a backend of Qiskit's."""
    from ketline.cli.show import show_json
    from ketline.domain.devices.device import device_from_text
    from ketline.domain.errors import DeviceInvalid

    try:
        device = device_from_text(_read(file), name)
    except DeviceInvalid as error:
        fail(f"{file} describes no device: {error}.", USAGE_ERROR)
    with client_of(url) as client:
        stored = client.put_device(device.as_json())
    if as_json:
        show_json(stored)
    else:
        print(stored["name"])


def list_devices(url: Url = None, as_json: AsJson = False) -> None:
    """List the devices that programs can be run for: those that are shipped, and those of the project."""
    from ketline.cli.show import show_json, show_rows

    with client_of(url) as client:
        found = client.devices()
    if as_json:
        show_json(found)
        return
    rows = [
        (
            one["name"],
            str(one["num_qubits"]),
            str(one["couplings"]),
            ", ".join(one["gates"]),
            "shipped" if one["shipped"] else one.get("owner", ""),
            one["description"],
        )
        for one in found
    ]
    show_rows(("device", "qubits", "couplings", "gates", "from", "description"), rows)


def show_device(name: DeviceName, url: Url = None) -> None:
    """Print a device as JSON, as it can be added again."""
    from ketline.cli.show import show_json

    with client_of(url) as client:
        show_json(client.device(name))


def remove_device(name: DeviceName, url: Url = None) -> None:
    """Remove a device; tasks that were submitted with it keep what it was."""
    with client_of(url) as client:
        client.remove_device(name)


def _read(file: str) -> bytes:
    """The bytes of a file; of one that is too large to be a device, as few as show it."""
    try:
        with _opened(file) as source:
            return source.read(MAX_DEVICE_BYTES + 1)
    except OSError as error:
        fail(f"Cannot read {file}: {error.strerror}.", USAGE_ERROR)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as source:
        yield source

"""The option `--device`: the name of a device, or JSON with how to transpile for it."""

import json
from typing import Annotated, Any

import typer

from ketline.cli.exit_codes import USAGE_ERROR, fail

DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME|JSON",
        help="Transpile for this device and run with its errors; 'ketline devices list' names all. As JSON: "
        '{"name": "line-27", "optimization_level": 3, "noise": false}.',
    ),
]


def read_device(given: str | None) -> Any:
    """The `device` of a submission; None without the option."""
    if given is None or not given.lstrip().startswith("{"):
        return given
    try:
        return json.loads(given)
    except ValueError:
        fail(f"--device takes a name, or a JSON object, not {given!r}.", USAGE_ERROR)

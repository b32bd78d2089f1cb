"""The option `--noise`: a file with a model, or a named model with its parameters."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ketline.cli.exit_codes import USAGE_ERROR, fail

NoiseOption = Annotated[
    list[str] | None,
    typer.Option(
        "--noise",
        metavar="FILE|NAME:PARAMETER=VALUE,…",
        help="Errors of gates and readout: a JSON file, or for instance depolarizing:one_qubit=0.001,two_qubit=0.01; "
        "repeat it to combine several.",
    ),
]


def read_noise(given: Sequence[str] | None) -> Any:
    """The `noise` of a submission; None without the option, and one model alone not as a list."""
    models = [model for text in given or () for model in _models(text)]
    return models[0] if len(models) == 1 else models or None


def _models(text: str) -> list[Any]:
    """The models of a file, or a named one."""
    name, colon, parameters = text.partition(":")
    if not colon:
        found = _in_file(text)
        return found if isinstance(found, list) else [_as_model(found)]
    try:
        pairs = [(pair.partition("=")[0].strip(), float(pair.partition("=")[2])) for pair in parameters.split(",")]
    except ValueError:
        fail(f"--noise takes NAME:PARAMETER=VALUE,… with numbers for values, not {text!r}.", USAGE_ERROR)
    return [{"name": name, **dict(pairs)}]


def _as_model(found: Any) -> Any:
    """The model in a request's form: a dictionary of Aer's `NoiseModel.to_dict` has no name of its own."""
    return {"model": found} if isinstance(found, dict) and "errors" in found else found


def _in_file(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"Cannot read the noise model {path}: {error.strerror}.", USAGE_ERROR)
    except ValueError:
        fail(f"The noise model {path} is not JSON.", USAGE_ERROR)

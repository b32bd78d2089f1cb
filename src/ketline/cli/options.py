"""Options that several commands share, and the functions that read their values."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

import typer

from ketline.cli.client.device import read_device
from ketline.cli.client.noise import read_noise
from ketline.cli.client.observables import read_mitigation, read_observables
from ketline.cli.exit_codes import USAGE_ERROR, fail
from ketline.client import Client, Retries
from ketline.client.programs import Options
from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import METHODS
from ketline.domain.limits import HIGHEST_PRIORITY, LOWEST_PRIORITY
from ketline.domain.results.outputs import OutputType
from ketline.domain.tasks.inputs import InputValue
from ketline.domain.tasks.kind import TaskKind

# Retry a service that has never responded for this long; one that has, for the client's two minutes.
FIRST_CONTACT_SECONDS = 3.0


def _read_method(text: str) -> Method:
    """The method of this name; only those that are offered, although stored tasks may have others."""
    if text not in METHODS:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(map(repr, map(str, METHODS)))}.")
    return Method(text)


Url = Annotated[
    str | None, typer.Option(envvar="KETLINE_URL", help="Address of the service; default: http://127.0.0.1:8000.")
]
OwnUrl = Annotated[
    str | None,
    typer.Option(envvar="KETLINE_URL", help="Address of a running service; default: start one for this run."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds to wait; default: no limit.")]
Programs = Annotated[
    list[str], typer.Argument(help="OpenQASM files, directories, patterns in quotes, or - for standard input.")
]
TaskIds = Annotated[list[str], typer.Argument(help="Task ids, as submit prints them.")]
AnyTaskId = Annotated[str, typer.Argument(help="A task id, as submit prints it.")]
Shots = Annotated[int | None, typer.Option(help="Shots of each program; default: the service's.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same counts.")]
SimulationMethod = Annotated[
    Method | None, typer.Option(parser=_read_method, metavar=f"[{'|'.join(METHODS)}]", help="Simulation method.")
]
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=VALUE",
        help="A value for an 'input' of the program: a number, true, false, bits in quotes, "
        'or {"array": […]}; a [list] for a sweep; may be repeated.',
    ),
]
Name = Annotated[str | None, typer.Option(help="A name for the task; default: the file's.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag to find tasks by; may be repeated.")]
Memory = Annotated[bool, typer.Option("--memory", help="Keep the outcome of every shot.")]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        metavar="TYPE[:QUBITS][@PLACE]",
        help="A value of the final state instead of counts, of all qubits or of some: statevector, unitary, counts, "
        "probabilities:0,2, density_matrix:1, entropy:0 or expectation_values:ZZ,XI; statevector@PLACE is that at a "
        "place of the program; may be repeated.",
    ),
]
Priority = Annotated[
    int | None,
    typer.Option(min=LOWEST_PRIORITY, max=HIGHEST_PRIORITY, help="Tasks of higher priority run first; default: 0."),
]
Hold = Annotated[bool, typer.Option("--hold", help="Hold the tasks until 'ketline enqueue' releases them.")]
Backend = Annotated[
    str | None, typer.Option(help="Run on this external backend instead of a simulator; see 'ketline backends'.")
]
Callback = Annotated[
    str | None, typer.Option(metavar="URL", help="Where a signed message is sent when a task has ended.")
]
TimeLimit = Annotated[float | None, typer.Option(help="Seconds after which a program is stopped.")]


def program_options(
    *,
    shots: int | None = None,
    seed: int | None = None,
    method: Method | None = None,
    given: Sequence[str] | None = None,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    memory: bool = False,
    outputs: Sequence[str] | None = None,
    time_limit: float | None = None,
    priority: int | None = None,
    hold: bool = False,
    backend: str | None = None,
    noise: Sequence[str] | None = None,
    device: str | None = None,
    observables: Sequence[str] | None = None,
    precision: float | None = None,
    mitigation: str | None = None,
    callback: str | None = None,
) -> Options:
    """The options of each submitted program, as the client takes them; with a backend they are run there."""
    return {
        "shots": shots,
        "seed": seed,
        "method": None if method is None else method.value,
        "inputs": dict(map(_read_input, given or ())) or None,
        "name": name,
        "tags": tags or None,
        "memory": memory or None,
        "outputs": list(map(_read_output, outputs or ())) or None,
        "time_limit_seconds": time_limit,
        "priority": priority,
        "hold": hold or None,
        "kind": None if backend is None else TaskKind.RUN.value,
        "backend": backend,
        "noise": read_noise(noise),
        "device": read_device(device),
        "observables": read_observables(observables),
        "precision": precision,
        "mitigation": read_mitigation(mitigation),
        "callback": callback,
    }


@contextmanager
def client_of(url: str | None) -> Iterator[Client]:
    """A client of the service at `url`, at `KETLINE_URL`, or of `ketline up` on this machine."""
    with Client(url, retries=Retries(first_contact_seconds=FIRST_CONTACT_SECONDS)) as client:
        yield client


def read_id(text: str) -> UUID:
    """Parse a task id, or end the command."""
    try:
        return UUID(text)
    except ValueError:
        fail(f"{text!r} is not a task id; task ids look like 109d6b6d-5fe8-4a87-be4c-b22abc0dbd5f.", USAGE_ERROR)


def _read_output(given: str) -> Mapping[str, object]:
    """Parse TYPE[:QUBITS or LABELS][@PLACE]; the name tells outputs of the same type apart."""
    what, at, place = given.partition("@")
    kind, colon, details = what.partition(":")
    if kind not in set(OutputType):
        fail(f"--state takes one of {', '.join(OutputType)}, not {kind!r}.", USAGE_ERROR)
    output: dict[str, object] = {"type": kind, "name": "-".join(filter(None, [kind, *details.split(","), place]))}
    if at:
        output["at"] = place
    if kind == OutputType.EXPECTATION_VALUES:
        return {**output, "observables": [{label: 1.0} for label in details.split(",") if label]}
    if not colon:
        return output
    try:
        return {**output, "qubits": list(map(int, details.split(",")))}
    except ValueError:
        fail(f"--state takes numbers of qubits after the colon, as probabilities:0,2, not {details!r}.", USAGE_ERROR)


def _read_input(given: str) -> tuple[str, InputValue | list[InputValue]]:
    """Parse NAME=VALUE; VALUE is JSON: 0.3, true, "0101" for bits, {"array": [1, 2]}, a list of these for a sweep."""
    name, equals, text = given.partition("=")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    values = value if isinstance(value, list) and value else [value]
    if not equals or not all(isinstance(one, (bool, int, float, str, dict)) for one in values):
        fail(
            '--input takes NAME=VALUE with a number, true, false, a "quoted" string of bits, {"array": […]}, '
            f"or a list of these, not {given!r}.",
            USAGE_ERROR,
        )
    return name.strip(), value
